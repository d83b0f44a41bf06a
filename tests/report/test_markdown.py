"""The Markdown is read back by markdown-it, an implementation of CommonMark that rich brings along."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from desertseg.report.document import Cell, Code, Column, Document, Facts, Part, Prose, Section, Table
from desertseg.report.markdown import render_markdown

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def render(*blocks: object) -> str:
    document = Document("t", "s", [Part("p", "p", [Section("q", "q", blocks)])])  # type: ignore[arg-type]
    return READER.render(render_markdown(document, Path()))


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_text_stays_what_it_is(text: str) -> None:
    html = render(Prose(text), Table(text, [Column("a", number=False), Column("b")], [[Cell(text), Cell(text)]]))
    paragraph, cells = re.findall(r"<p>(.*?)</p>", html, re.S)[1], re.findall(r"<td[^>]*>(.*?)</td>", html, re.S)
    assert words(paragraph) == text
    assert [words(cell) for cell in cells] == [text, text]


@pytest.mark.parametrize("text", ["1. first", "- item", "# no title", "+ 3", "= 1", "> said", "10) ten", "a  b"])
def test_no_text_becomes_a_block(text: str) -> None:
    html = render(Prose(text))
    assert words(html).endswith(" ".join(text.split()))
    assert "<li>" not in html
    assert html.count("<h") == 3


def test_code_keeps_its_backticks() -> None:
    text = "a `b` ```\n````\nend"
    html = render(Code("Command", text))
    assert unescape(re.findall(r"<pre><code>(.*?)</code>", html, re.S)[0]) == text + "\n"


def test_facts_are_a_list() -> None:
    html = render(Facts("Environment", [("python", "3.11"), ("a*b", "[c](d)")], titled=True))
    assert [words(item) for item in re.findall(r"<li>(.*?)</li>", html, re.S)] == ["python: 3.11", "a*b: [c](d)"]
    assert "Environment:" in html


def test_the_report_reads_back(run_folder: Path) -> None:
    text = (run_folder / "report.md").read_text(encoding="utf-8")
    html = READER.render(text)
    assert html.count("<h1>") == 1
    assert html.count("<table>") >= 10
    for table in re.findall(r"<table>(.*?)</table>", html, re.S):
        widths = {len(re.findall(r"<t[dh]", row)) for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)}
        assert len(widths) == 1
    links = re.findall(r'<img src="([^"]+)"', html)
    assert len(links) == 10  # two pictures of the training, metrics, calibration, six frames
    assert all((run_folder / unquote(unescape(link))).is_file() for link in links)
    assert "Rocks &lt;img src=x onerror=&quot;document.title=1&quot;&gt; &amp; co" in html
