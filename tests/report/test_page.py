"""The page is parsed by Python's own parser: what is in it, that it is closed, and that it needs nothing outside."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.report.document import Cell, Column, Document, Part, Picture, Section, Table
from desertseg.report.page import render_blocks, render_page

VOID = {"meta", "img", "link", "br", "hr", "input", "rect", "path"}


class Page(HTMLParser):
    """Collects tags with their attributes, tables as rows of texts, and what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text: list[str] = []
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text.append(data)
        if "caption" in self._open:
            self._caption += data
        elif {"td", "th"} & set(self._open):
            self._rows[-1][-1] += data.strip()

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(scope="module")
def page(run_folder: Path) -> Page:
    return Page((run_folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def values(run_folder: Path) -> dict:
    return json.loads((run_folder / "evaluation" / "desert-val" / "evaluation.json").read_text())


def test_nothing_is_fetched_and_nothing_runs(page: Page, run_folder: Path) -> None:
    assert not page.all("script", "link", "iframe", "object", "base", "form")
    policy = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert all((image["src"] or "").startswith("data:image/") for image in page.all("img"))
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    text = (run_folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?://", text)
    assert "/work" not in text.replace(str(run_folder), "")


def test_a_name_is_text_whatever_it_holds(page: Page, values: dict) -> None:
    hostile = next(name for name in values["per_class_iou"] if "<" in name)
    assert all("onerror" not in image for image in page.all("img"))
    assert hostile in page.text
    assert ["bad <b>.png", "cut off"] in page.tables["Files that were left out"]


def test_links_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"] or "" for a in page.all("a")]
    assert len(links) > 15
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_headings_come_in_order_and_everything_has_a_name(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(len(image["alt"] or "") > 20 for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table")) == len(page.tables)
    assert all(page.tables)
    assert {th["scope"] for th in page.all("th")} == {"row", "col"}
    assert page.all("html") == [{"lang": "en"}]


def test_the_tables_hold_the_numbers(page: Page, values: dict) -> None:
    rows = page.tables["Scores of each class, over all pixels that are not ignored"]
    titles = rows[0]
    for line in rows[1:]:
        name = next(n for n in values["per_class_iou"] if line[0].startswith(n))
        row = dict(zip(titles, line, strict=True))
        if name == "Flowers":
            assert line[0].endswith("pixels predicted")
            assert row["IoU"] == "–"
            continue
        for title, key in (("IoU", "iou"), ("precision", "precision"), ("recall", "recall"), ("Dice", "dice")):
            assert float(row[title]) == pytest.approx(values[f"per_class_{key}"][name], abs=5e-4)
    matrix = page.tables["Share of the true class's pixels in %, and below it the number of pixels"][1:]
    share = 100 * values["confusion"][0][1] / sum(values["confusion"][0])
    assert matrix[0][2] == f"{share:.1f}{values['confusion'][0][1]:,}"
    assert matrix[4][1] == "–0"
    assert page.tables["Means"][1][:3] == ["mIoU", f"{values['miou']:.4f}", "0.4100–0.5200"]


def test_the_headline_comes_first_and_says_what_it_is_and_how_sure(page: Page, values: dict) -> None:
    top = "".join(page.text).split("\nScores\n")[0]
    assert f"{values['miou']:.4f}" in top
    assert values["definition"][1:] in top
    assert "0.4100–0.5200 95 % interval, frames drawn again" in top
    assert "0.3300–0.6100 95 % interval, whole scenes drawn again" in top
    assert "12.34 %" in top  # false-safe
    assert "IoU of Logs" in top


def test_every_section_stands_once(page: Page) -> None:
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "h3"]
    keys = (
        "failures",
        "classes",
        "means",
        "safety",
        "confusion",
        "pairs",
        "scenes",
        "bands",
        "boundary",
        "calibration",
    )
    keys += ("handling", "worst", "data", "scoring")
    assert ids == [f"scores-1-{key}" for key in keys] + [f"training-{key}" for key in ("curves", "recipe", "origin")]


def test_pictures_are_inside_and_not_larger_than_they_are_shown(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 2000, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "wide.png"), noise)
    cv2.imwrite(str(tmp_path / "small.png"), noise[:, :50])
    pictures = [Picture(tmp_path / name, "a picture of noise", "noise") for name in ("wide.png", "small.png")]
    document = Document("t", "s", [Part("p", "p", [Section("s", "s", pictures)])])
    wide, small = Page(render_page(document)).all("img")
    for image, width in ((wide, 1600), (small, 50)):
        content = base64.b64decode((image["src"] or "").split(",")[1])
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape[1] == width == int(image["width"] or 0)
        assert pixels.shape[0] == int(image["height"] or 0)
    assert (small["src"] or "").split(",")[1] == base64.b64encode((tmp_path / "small.png").read_bytes()).decode()


def test_a_damaged_picture_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    document = Document("t", "s", [Part("p", "p", [Section("s", "s", [Picture(tmp_path / "bad.png", "alt")])])])
    with pytest.raises(OSError, match=r"bad.png is no picture"):
        render_page(document)


def test_blocks_are_a_piece_of_the_page() -> None:
    table = Table("Two <classes>", [Column("class", number=False), Column("IoU")], [[Cell("<Sky>"), Cell("0.5")]])
    document = Document("One", "two", [Part("Three", "three", [Section("Four", "four", [table])])])
    piece = render_blocks([table])
    assert piece in render_page(document)
    assert "&lt;Sky&gt;" in piece
    assert "<html" not in piece
