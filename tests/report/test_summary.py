"""The report of a data set, from values as stats.json holds them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from desertseg.report.summary import compose_summary, summary_lines
from desertseg.report.summary_folder import write_summary

HOSTILE = "Rocks <img src=x> | & *co*"
EDGES = 2.0 ** (np.arange(249) / 8)


def describe(title, shares, size=(20, 30), failures=()):
    names = ("Grass", HOSTILE, "Logs")
    classes = [
        {
            "name": name,
            "pixels": round(6000 * part),
            "share": part,
            "frames": 5 if part else 0,
            "frame_share": 0.5 if part else 0.0,
            "share_where_present": part or None,
            "regions": 12 if part else 0,
            "regions_visible": 8 if part else 0,
            "specks": 4 if part else 0,
            "region_median": 40 if part else None,
            "region_half_of_pixels": 99 if part else None,
            "region_largest": 1234 if part else None,
            "height": {"10": 0.2, "50": 0.5, "90": 0.8} if part else None,
        }
        for name, part in zip(names, shares, strict=True)
    ]
    colors = ([10, 120, 10], [90, 90, 90], [200, 10, 10])
    return {
        "title": title,
        "labels": "hostile",
        "label_map": {"classes": [{"name": n, "color": c} for n, c in zip(names, colors, strict=True)]},
        "frames": 10,
        "pixels": 6000,
        "ignored": 600,
        "all_ignored": ["a3"],
        "sizes": [{"height": size[0], "width": size[1], "frames": 10}],
        "classes": classes,
        "scenes": [
            {"name": n, "frames": 5, "pixels": 3000, "shares": list(shares), "frames_with": [5, 5, 0]}
            for n in ("a", "")
        ],
        "together": [[5, 5, 0], [5, 5, 0], [0, 0, 0]],
        "weights": {"inverse": [0.5, 1.5, 1.0], "enet": [0.7, 1.3, 1.0]},
        "color": {"mean": [100.0, 90.0, 80.0], "std": [20.0, 10.0, 5.0], "histogram": [[3] * 256] * 3},
        "failures": list(failures),
    }


@pytest.fixture
def values():
    first, second = describe("desert", (0.75, 0.25, 0.0)), describe("canyon", (0.001, 0.0, 0.999), (40, 60))
    shift = {"distance": 0.999, "color": [0.5, -1.25, 0.0], "only_in_first": [HOSTILE], "only_in_second": ["Logs"]}
    return {"data": [first, second], "shift": shift, "command": "desertseg stats a b"}


def test_lines_of_one_set_hold_its_numbers_in_columns(values):
    lines = summary_lines({"data": values["data"][:1]})
    assert lines[0] == "desert: 10 frames of 30x20, 6,000 labelled pixels, 9.09 % ignored"
    assert "a 5, (no name) 5" in lines[1]
    assert "red 100.0 ± 20.0" in lines[2]
    table = lines[4:]
    assert table[0].split() == [
        *("class", "pixels", "%", "frames", "%", "regions", "a", "frame"),
        *("specks", "%", "median", "largest", "inverse", "enet"),
    ]
    assert table[2].split() == ["Grass", "75.000", "50.0", "8", "1.6", "33", "40", "1,234", "0.500", "0.700"]
    assert table[4].split() == ["Logs", "absent"]
    assert len({len(line) for line in table}) == 1


def test_lines_of_two_sets_say_how_they_differ(values):
    text = "\n".join(summary_lines(values))
    grass = next(line for line in text.splitlines() if line.startswith("Grass"))
    assert grass.split()[1:4] == ["75.000", "0.100", "1/750"]
    assert "Classes: 99.9 % of B's pixels" in text
    assert f"Only in A: {HOSTILE}." in text
    assert "Only in B: Logs." in text
    assert "differ in size" in text
    assert "red +0.50, green -1.25, blue +0.00" in text


@pytest.mark.parametrize("count", [1, 2])
def test_the_folder_holds_page_numbers_and_pictures(values, tmp_path, count):
    shown = values if count == 2 else {"data": [{**values["data"][0], "failures": [["bad.png", "cut <off>"]]}]}
    places = [np.random.default_rng(0).random((36, 64, 3)) for _ in range(count)]
    regions = [np.zeros((3, 248), int) for _ in range(count)]
    regions[0][0, 60] = 4
    page = write_summary(tmp_path / "out", shown, places, regions, EDGES)
    text = page.read_text()
    assert "Rocks &lt;img src=x&gt;" in text
    assert "<img src=x>" not in text
    assert text.count("data:image/png") == 6
    assert ("cut &lt;off&gt;" in text) == (count == 1)
    markdown = page.with_suffix(".md").read_text()
    assert "places.png" in markdown
    names = {"shares", "places", "regions", "colors", "scenes", "together"}
    assert {p.stem for p in page.parent.glob("*.png")} == names
    for name in names:
        assert cv2.imread(str(page.parent / f"{name}.png")).std() > 5
    with np.load(page.parent / "places.npz") as arrays:
        np.testing.assert_array_equal(arrays["arr_0"], places[0])


def test_a_set_without_a_labelled_pixel_has_a_page_too(values, tmp_path):
    empty = {**describe("none", (0.0, 0.0, 0.0)), "weights": {}, "pixels": 0}
    nothing = np.zeros((36, 64, 3)), np.zeros((3, 248), int)
    page = write_summary(tmp_path / "out", {"data": [empty]}, [nothing[0]], [nothing[1]], EDGES)
    assert "No pixel is labelled" in page.read_text()
    assert "absent" in "\n".join(summary_lines({"data": [empty]}))


def test_the_page_of_one_set_begins_with_its_numbers(values, tmp_path):
    document = compose_summary({"data": values["data"][:1]}, tmp_path)
    assert [part.title for part in document.parts] == ["desert", "Pictures"]
    document = compose_summary(values, tmp_path)
    assert [part.title for part in document.parts] == ["Side by side", "desert", "canyon"]
