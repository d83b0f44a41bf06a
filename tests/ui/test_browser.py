"""The page in Chromium, as its users use it: `make test-ui`. No request may leave this machine, no script may fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from desertseg.data import Frame
from desertseg.data.video import VideoWriter
from desertseg.engine import evaluate
from desertseg.ui.answer import answer_frame
from desertseg.ui.given import Given, Options
from desertseg.ui.results import class_table
from desertseg.ui.shelf import Opened, Shelf

pytestmark = pytest.mark.browser
LAYERS = ("frame", "overlay", "truth", "errors", "confidence", "entropy", "cost")
PIXELS = """n => {
  const canvas = document.querySelectorAll('.viewer canvas')[n];
  return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
}"""
OVERFLOWING = """() => [...document.querySelectorAll('#desk *, #head *')].filter(e =>
  e.checkVisibility() && !e.closest('.scroll') && !e.closest('#gallery') && !e.closest('.clip') && !e.closest('svg')
  && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map(e => e.tagName + '#' + e.id + '.' + e.className)"""


class Visitor:
    """Somebody with the page open; every request to another host and every fault of a script is kept."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.problems = page, []
        page.on("request", self._see)
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        page.on("console", lambda message: message.type == "error" and self.problems.append(f"console: {message.text}"))
        self.address = address
        page.goto(address)
        page.wait_for_selector("#viewer .viewer > *")

    def _see(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.problems.append(f"request: {request.url}")

    def give(self, box: str, path: Path) -> None:
        self.page.set_input_files(f"#give-{box} input[type=file]", path)

    def wait(self, name: str, panes: int = 1) -> None:
        """Wait until the frame of that name is drawn in so many panes, and nothing is under way."""
        self.page.wait_for_function(
            """([name, panes]) => {
              const drawn = [...document.querySelectorAll('.viewer .pane')];
              return drawn.length === panes && drawn.every(pane => pane.querySelector('canvas').dataset.drawn
                && pane.querySelector('figcaption').textContent.includes(name))
                && !document.querySelector('#viewer .wrap.generating, #viewer .wrap:not(.hide)');
            }""",
            arg=[name, panes],
        )

    def choose(self, box: str, text: str) -> None:
        self.page.click(f"#{box} input")
        self.page.locator("[role=option]").filter(has_text=text).first.click()

    def layer(self, name: str) -> np.ndarray:
        """Show a layer, and return its pixels."""
        self.page.click(f"[data-layer={name}]")
        return self.pixels()

    def pixels(self, pane: int = 0) -> np.ndarray:
        """Return what a pane shows: int (24, 40, 3)."""
        return np.array(self.page.evaluate(PIXELS, pane)).reshape(24, 40, 4)[..., :3]

    def sentence(self) -> str:
        self.page.wait_for_selector("#words .say p")
        return self.page.inner_text("#words")


@pytest.fixture
def visit(browser: Any, server: Any) -> Iterator[Callable[..., Visitor]]:
    """What opens the page; at the end nobody may have seen a problem."""
    visitors: list[Visitor] = []

    def open_page(width: int = 1440, scheme: str = "light") -> Visitor:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        visitors.append(Visitor(page, server.address))
        return visitors[-1]

    yield open_page
    for visitor in visitors:
        assert visitor.problems == []
        visitor.page.close()


@pytest.fixture
def image(data: Path) -> Path:
    return data / "val" / "Color_Images" / "a0.png"


@pytest.fixture
def mask(data: Path) -> Path:
    return data / "val" / "Segmentation" / "a0.png"


@pytest.fixture
def scored(visit: Callable[..., Visitor], image: Path, mask: Path) -> Visitor:
    """A visitor who has given a frame and its truth."""
    visitor = visit()
    visitor.give("mask", mask)
    visitor.page.wait_for_selector("#named p")
    visitor.give("frame", image)
    visitor.wait("a0.png")
    return visitor


def test_an_empty_page_says_what_to_do(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    assert visitor.page.title() == "desertseg"
    assert "Drop a frame" in visitor.page.inner_text(".viewer")
    assert not visitor.page.locator("#keep").is_visible()
    assert "4 models: " in visitor.page.inner_text("#head")


def test_an_upload_scores_as_evaluate_scores_it(scored: Visitor, good: Opened, image: Path, mask: Path) -> None:
    expected = evaluate(good.model, [Frame(image, mask, "a0")], split=None, boundaries=False, progress=False)
    assert scored.page.inner_text("#results .value") == f"{expected.scores.miou:.3f}"
    told = scored.page.inner_text("#results .headline")
    assert expected.definition in told
    assert f"{100 * expected.scores.pixel_accuracy:.1f} %" in told
    assert re.search(r"one answer\s+[\d.]+ ms\s+median of \d warm runs", told)


def test_a_frame_may_be_dropped_on_the_viewer(visit: Callable[..., Visitor], image: Path, data: Path) -> None:
    visitor = visit()
    for path in (image, data / "val" / "Color_Images" / "b1.png"):  # the second on top of the first
        dropped = visitor.page.evaluate_handle(
            """([bytes, name]) => {
              const files = new DataTransfer();
              files.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
              return files;
            }""",
            [list(path.read_bytes()), path.name],
        )
        visitor.page.dispatch_event("#viewer .viewer > *", "drop", {"dataTransfer": dropped})
        visitor.wait(path.name)


def test_the_table_holds_the_numbers(scored: Visitor, good: Opened, image: Path, mask: Path) -> None:
    table = class_table(answer_frame(good, Given(image, "a0.png", mask, "a0.png"), Options()))
    rows = scored.page.locator("#results tbody tr").all()
    found = [[cell.inner_text().strip() for cell in row.locator("th, td").all()] for row in rows]
    assert found == [[cell.text for cell in row] for row in table.rows]


def test_a_class_that_is_unticked_leaves_the_frame_bare(scored: Visitor, good: Opened, image: Path) -> None:
    prediction = answer_frame(good, Given(image, "a0.png"), Options()).prediction
    frame, overlay = scored.layer("frame"), scored.layer("overlay")
    largest = int(np.bincount(prediction.ravel(), minlength=10)[:10].argmax())
    name = good.labels.names[largest]
    scored.page.locator(".chip", has_text=name).click()
    toggled, there = scored.pixels(), prediction == largest
    np.testing.assert_array_equal(toggled[there], frame[there])
    np.testing.assert_array_equal(toggled[~there], overlay[~there])
    scored.page.locator(".chip", has_text=name).click()
    np.testing.assert_array_equal(scored.pixels(), overlay)


def test_the_slider_goes_from_the_frame_to_the_classes_colours(scored: Visitor, good: Opened, image: Path) -> None:
    prediction = answer_frame(good, Given(image, "a0.png"), Options()).prediction
    frame, slider = scored.layer("frame"), scored.page.get_by_label("Opacity")
    scored.layer("overlay")
    slider.fill("0")
    np.testing.assert_array_equal(scored.pixels(), frame)
    slider.fill("100")
    colors = good.labels.colors[prediction].astype(int)
    edge = np.zeros(prediction.shape, bool)
    edge[:, 1:] |= prediction[:, 1:] != prediction[:, :-1]
    edge[1:] |= prediction[1:] != prediction[:-1]
    shown = scored.pixels()
    np.testing.assert_array_equal(shown[~edge], colors[~edge])
    assert np.abs(shown[edge] - 0.45 * colors[edge]).max() <= 0.5 + 1e-6
    slider.fill("50")
    between = scored.pixels()[~edge]
    assert np.abs(between - (colors[~edge] + frame[~edge]) / 2).max() <= 1


def test_every_layer_is_drawn_and_errors_are_where_answer_and_truth_differ(
    scored: Visitor, good: Opened, image: Path, mask: Path
) -> None:
    pictures = {layer: scored.layer(layer) for layer in LAYERS}
    for layer, picture in pictures.items():
        others = [other for name, other in pictures.items() if name != layer]
        assert not any(np.array_equal(picture, other) for other in others)
    scored.page.get_by_label("Opacity").fill("100")
    red = (scored.layer("errors") == (230, 30, 30)).all(axis=2)
    truth = good.labels.encode(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED))
    prediction = answer_frame(good, Given(image, "a0.png"), Options()).prediction
    np.testing.assert_array_equal(red, truth != prediction)


def test_hovering_names_the_class_its_probability_and_the_truth(scored: Visitor, good: Opened, image: Path) -> None:
    prediction = answer_frame(good, Given(image, "a0.png"), Options()).prediction
    box = scored.page.locator(".stage").bounding_box()
    scored.page.mouse.move(box["x"] + 12.5 / 40 * box["width"], box["y"] + 7.5 / 24 * box["height"])
    told = scored.page.inner_text(".tip")
    assert told.startswith(good.labels.names[prediction[7, 12]])
    assert re.search(r"\d+ %", told)
    assert "truth: " in told
    scored.page.mouse.move(5, 5)
    assert not scored.page.locator(".tip").is_visible()


def test_a_point_can_be_read_and_zoomed_with_the_keyboard(scored: Visitor) -> None:
    scored.page.locator(".stage").focus()
    scored.page.keyboard.press("ArrowRight")
    assert "%" in scored.page.inner_text(".tip")
    scored.page.keyboard.press("+")
    assert scored.page.inner_text(".zoom output") == "2×"


def test_another_model_gives_its_own_numbers(
    scored: Visitor, shelf: Shelf, models: Path, image: Path, mask: Path
) -> None:
    scored.choose("model", "other.keras")
    scored.page.wait_for_function("document.querySelector('.viewer figcaption b').textContent.includes('other.keras')")
    scored.wait("a0.png")
    answer = answer_frame(shelf.open(str(models / "other.keras")), Given(image, "a0.png", mask, "m"), Options())
    assert answer.score
    assert scored.page.inner_text("#results .value") == f"{answer.score.scores.miou:.3f}"


def test_two_models_stand_side_by_side(scored: Visitor, good: Opened, shelf: Shelf, models: Path, image: Path) -> None:
    scored.choose("second", "other.keras")
    scored.wait("a0.png", panes=2)
    assert scored.page.locator("#results table").count() == 2
    boxes = [pane.bounding_box() for pane in scored.page.locator(".pane").all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    scored.page.get_by_label("Opacity").fill("100")
    scored.page.click("[data-layer=changes]")
    given = Given(image, "a0.png")
    ours, its = (answer_frame(o, given, Options()).prediction for o in (good, shelf.open(str(models / "other.keras"))))
    differ = ours != its
    for pane, labels in enumerate((ours, its)):
        np.testing.assert_array_equal(scored.pixels(pane)[differ], good.labels.colors[labels[differ]])


def test_options_change_the_answer(scored: Visitor) -> None:
    page = scored.page
    page.click("#options > button")
    page.get_by_label("Test-time augmentation").check()
    page.fill("#size input, #size textarea", "32x64")
    page.keyboard.press("Enter")
    page.fill("#confidence input[type=number]", "0.9")
    page.keyboard.press("Enter")
    page.locator("#confidence input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".chip:has-text('unknown')")
    page.click("#suppress input")
    page.locator("[role=option]").filter(has_text="Sky").first.click()
    page.wait_for_function("!document.querySelector('.legend').textContent.match(/Sky[1-9]/)")
    page.fill("#size input, #size textarea", "much")
    page.keyboard.press("Enter")
    assert "'much' is no size" in scored.sentence()


def test_bad_input_is_a_sentence_and_the_next_frame_is_answered(
    visit: Callable[..., Visitor], image: Path, mask: Path, tmp_path: Path
) -> None:
    visitor = visit()
    bad = {
        "text.png": (b"no picture", "Image text.png is not an image that can be read"),
        "empty.png": (b"", "Image empty.png is empty (0 bytes)"),
        "cut.png": (image.read_bytes()[:900], "Image cut.png is cut off after 900 bytes"),
    }
    for name, (content, said) in bad.items():
        (tmp_path / name).write_bytes(content)
        visitor.give("frame", tmp_path / name)
        visitor.page.wait_for_function("said => document.querySelector('#words').textContent.includes(said)", arg=said)
    assert "cut.png got no answer" in visitor.page.inner_text(".viewer")
    header = image.read_bytes()[:16] + (40_000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
    (tmp_path / "bomb.png").write_bytes(header + bytes(100))
    visitor.give("frame", tmp_path / "bomb.png")
    visitor.page.wait_for_function("document.querySelector('#words').textContent.includes('claims 40,000x40,000')")
    visitor.give("frame", image)
    visitor.wait("a0.png")
    assert visitor.page.inner_text("#words").strip() == ""
    cv2.imwrite(str(tmp_path / "small.png"), np.full((5, 7), 100, np.uint16))
    visitor.give("mask", tmp_path / "small.png")
    assert "No scores: mask small.png is 7x5 pixels, but its image a0.png is 40x24" in visitor.sentence()
    visitor.give("mask", mask)
    visitor.page.wait_for_selector("#results .name:has-text('mIoU')")
    visitor.page.click("#forget")
    visitor.page.wait_for_selector("#results .name:has-text('one answer')")


@pytest.mark.parametrize(
    ("model", "said"), [("text.keras", "is not a .keras file"), ("missing.keras", "does not exist")]
)
def test_a_model_that_is_none_is_a_sentence(scored: Visitor, model: str, said: str) -> None:
    scored.choose("model", model)
    assert said in scored.sentence()
    scored.choose("model", "other.keras")
    scored.wait("a0.png")


def test_a_file_over_the_limit_is_told(visit: Callable[..., Visitor], image: Path, tmp_path: Path) -> None:
    (tmp_path / "big.png").write_bytes(bytes(3 * 2**20))
    visitor = visit()
    visitor.give("frame", tmp_path / "big.png")
    visitor.page.wait_for_selector("text=/exceeds|too large|maximum/i")
    visitor.problems = [p for p in visitor.problems if "413" not in p]  # the browser's own words for it
    visitor.page.reload()
    visitor.page.wait_for_selector("#viewer .viewer > *")
    visitor.give("frame", image)
    visitor.wait("a0.png")


def test_a_folder_is_browsed_by_scene_class_and_score(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    captions = "[...document.querySelectorAll('#gallery .caption-label')].map(e => e.textContent.trim())"
    assert page.evaluate(captions) == ["a0", "a1"]
    visitor.choose("which", "b (2)")
    page.wait_for_function(f"{captions}.join() === 'b0,b1'")
    page.locator("#way label", has_text="Class").click()
    page.wait_for_function(f"{captions}.length === 4")
    visitor.choose("which", "Logs (2)")
    page.wait_for_function(f"{captions}[0] === 'b1 · 0.42 %'")
    page.locator("#gallery button.thumbnail-item").first.click()
    visitor.wait("b1.png")
    assert page.inner_text("#named").split() == ["Frame", "b1.png", "Truth", "b1.png"]
    page.locator("#way label", has_text="Worst").click()
    page.wait_for_function(f"{captions}[0].includes('mIoU')")
    scores = [float(caption.rpartition(" ")[2]) for caption in page.evaluate(captions)]
    assert scores == sorted(scores)
    page.locator("#gallery button.thumbnail-item").first.click()
    page.wait_for_function(f"document.querySelector('#results .value').textContent === {scores[0]:.3f}.toFixed(3)")
    page.locator("#way label", has_text="Random").click()
    page.wait_for_function(f"{captions}.every(text => !text.includes('mIoU'))")


@pytest.mark.parametrize("kind", ["masks", "masks_color", "overlays"])
def test_files_can_be_downloaded(scored: Visitor, good: Opened, image: Path, kind: str) -> None:
    with scored.page.expect_download() as download:
        scored.page.click(f"#get-{kind}")
    assert download.value.suggested_filename == "a0.png"
    stored = cv2.imread(str(download.value.path()), cv2.IMREAD_UNCHANGED)
    if kind == "masks":
        prediction = answer_frame(good, Given(image, "a0.png"), Options()).prediction
        np.testing.assert_array_equal(stored, good.labels.decode(prediction))
    else:
        assert stored.shape[::2] == (24, 3)


def test_a_case_is_saved_in_its_folder(scored: Visitor, server: Any) -> None:
    scored.page.fill("#note input, #note textarea", "Look here.")
    scored.page.click("#save")
    scored.page.wait_for_selector("#kept p")
    told = scored.page.inner_text("#kept")
    report = Path(told.removeprefix("Saved as ").removesuffix("."))
    assert report.is_relative_to(server.folder / "cases")
    assert "Look here." in report.read_text()


def test_a_video_comes_back_and_plays(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    with VideoWriter(tmp_path / "drive.mp4", 10, (32, 48)) as writer:
        for _ in range(5):
            writer.write(random.integers(0, 256, (32, 48, 3), np.uint8))
    visitor = visit()
    visitor.page.get_by_role("tab", name="Video").click()
    visitor.give("video", tmp_path / "drive.mp4")
    visitor.page.click("#label-video:not([disabled])")
    visitor.page.wait_for_selector("#film-words p")
    assert visitor.page.inner_text("#film-words").startswith("5 frames of 48x32")
    visitor.page.wait_for_function("document.querySelector('#overlay-video video')?.readyState >= 2")
    assert visitor.page.evaluate("document.querySelector('#overlay-video video').videoWidth") == 48


def test_two_people_at_once_see_each_their_own(visit: Callable[..., Visitor], data: Path) -> None:
    one, two = visit(), visit()
    for visitor, name in ((one, "a1.png"), (two, "b0.png"), (one, "b1.png"), (two, "a0.png")):
        visitor.give("frame", data / "val" / "Color_Images" / name)
    one.wait("b1.png")
    two.wait("a0.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_all_fits_the_window_and_can_be_read(
    visit: Callable[..., Visitor],
    find_faint_text: Callable[[Any, str], list],
    image: Path,
    mask: Path,
    width: int,
    scheme: str,
) -> None:
    visitor = visit(width, scheme)
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert visitor.page.evaluate(fits)
    visitor.give("mask", mask)
    visitor.page.wait_for_selector("#named p")
    visitor.give("frame", image)
    visitor.wait("a0.png")
    visitor.choose("second", "other.keras")
    visitor.wait("a0.png", panes=2)
    assert visitor.page.evaluate(fits)
    assert visitor.page.evaluate(OVERFLOWING) == []
    assert find_faint_text(visitor.page, "#head *, #desk *") == []


def test_without_a_model_the_shipped_one_answers_and_the_page_says_so(
    browser: Any, start_server: Callable[..., Any], image: Path, tmp_path: Path
) -> None:
    served = start_server(tmp_path)
    try:
        visitor = Visitor(browser.new_page(), served.address)
        assert "No model was given, so desert-small answers, which ships with desertseg" in visitor.page.inner_text(
            "#head"
        )
        visitor.page.click("#desert")
        visitor.page.wait_for_selector("#results .name:has-text('mIoU')", timeout=60_000)
        assert visitor.problems == []
        visitor.page.close()
    finally:
        served.process.terminate()
        served.process.wait(30)
    assert served.called.read_text() == ""
