"""The page in Chromium: `make test-ui`. It loads without a request, fits its window, and prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
PRINTED = 703  # CSS pixels between the margins of an A4 sheet

OVERFLOWING = """() => [...document.querySelectorAll('main *')].filter(e => {
  if (e.closest('.scroll') && !e.matches('.scroll') || e.closest('svg')) return false;
  return e.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
}).map(e => e.tagName + '.' + e.className)"""


@pytest.fixture
def page(browser: Any, run_folder: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    width = getattr(request, "param", 1440)
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda r: page.problems.append(r.url) if not r.url.startswith(("data:", "file:")) else None)
    page.goto((run_folder / "report.html").as_uri())
    yield page
    page.close()


def test_it_opens_in_silence_with_every_picture(page: Any) -> None:
    assert page.problems == []
    assert page.title() == "Run a"
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    sizes = page.evaluate("[...document.images].map(i => [i.complete, i.naturalWidth])")
    assert len(sizes) == 10
    assert all(complete and width > 0 for complete, width in sizes)


@pytest.mark.parametrize("page", [1440, 1024, 390], indirect=True)
def test_nothing_sticks_out_of_the_window(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("page", [1440, 390], indirect=True)
def test_the_headline_is_seen_without_scrolling(page: Any) -> None:
    box = page.locator(".headline .value").first.bounding_box()
    assert box["y"] + box["height"] < 450
    assert page.locator(".headline .interval").first.bounding_box()["y"] < 844


@pytest.mark.parametrize("page", [PRINTED], indirect=True)
def test_tables_fit_a_sheet_of_paper(page: Any, tmp_path: Path) -> None:
    page.emulate_media(media="print")
    wide = "[...document.querySelectorAll('table')].map(t => t.getBoundingClientRect().width)"
    assert max(page.evaluate(wide)) <= PRINTED
    assert not page.locator("nav").is_visible()
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_all_text_can_be_read_on_its_ground(page: Any, find_faint_text: Callable[[Any, str], list]) -> None:
    assert find_faint_text(page, "main *, nav *") == []


def test_the_contents_lead_to_their_sections(page: Any) -> None:
    page.locator("nav a", has_text="Calibration").first.click()
    top = "document.getElementById('scores-1-calibration').getBoundingClientRect().top"
    for _ in range(50):  # it scrolls smoothly
        if abs(page.evaluate(top)) < 200:
            break
        page.wait_for_timeout(100)
    assert abs(page.evaluate(top)) < 200


def test_numbers_stand_right_under_their_titles(page: Any) -> None:
    aligned = page.evaluate(
        "[...document.querySelectorAll('td.number, thead th.number')].map(e => getComputedStyle(e).textAlign)"
    )
    assert len(aligned) > 100
    assert set(aligned) == {"right"}
