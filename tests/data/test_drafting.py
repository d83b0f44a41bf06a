from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from desertseg.data import DataError, read_mask, write_png
from desertseg.data.drafting import (
    count_ids,
    describe_found,
    distinct_colors,
    draft_labels,
    find_masks,
    matching_labels,
    suspect_damage,
)
from desertseg.labels import load_labels

FALCON = load_labels("falcon")


def draft(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "draft.toml"
    path.write_text(draft_labels(count_ids(find_masks(folder)), 'mine "x"', str(folder)))
    return path


def test_every_id_becomes_a_class_with_its_shares(tmp_path: Path) -> None:
    ids = np.array([[7, 7, 300, 300], [7, 300, 300, 65535]], np.uint16)
    write_png(tmp_path / "masks" / "a.png", ids)
    write_png(tmp_path / "masks" / "b.png", np.full((2, 4), 7, np.uint16))
    path = draft(tmp_path / "masks", tmp_path)
    labels = load_labels(path)
    assert labels.name == 'mine "x"'
    assert [c.ids for c in labels.classes] == [(7,), (300,), (65535,)]
    assert labels.void == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "masks" / "a.png", labels), [[0, 0, 1, 1], [0, 1, 1, 2]])
    text = path.read_text()
    assert '# 68.75 % of the pixels, in 2 of 2 masks\n[[classes]]\nname = "class 7"' in text
    assert "# 6.25 % of the pixels, in 1 of 2 masks" in text
    assert text.count("# cost = 50") == 3


def test_a_line_merges_two_ids(tiny_desert: Path, tmp_path: Path) -> None:
    path = draft(tiny_desert, tmp_path)
    text = path.read_text().replace("ids = [100]", "ids = [100, 200]")
    start = text.index('[[classes]]\nname = "class 200"')
    path.write_text(text[:start] + text[text.index("[[classes]]", start + 1) :])
    labels = load_labels(path)
    mask = find_masks(tiny_desert)[0]
    falcon = read_mask(mask, FALCON)
    np.testing.assert_array_equal(read_mask(mask, labels) == 0, np.isin(falcon, [0, 1]))


def test_a_data_folder_gives_the_masks_of_all_its_splits(tiny_desert: Path) -> None:
    masks = find_masks(tiny_desert)
    assert len(masks) == 13
    assert {m.parent.name for m in masks} == {"Segmentation"}
    found = count_ids(masks)
    assert set(found.ids) <= set(FALCON.ids)
    assert "falcon" in matching_labels(found)
    assert sum(found.pixels.values()) == 13 * 48 * 80
    assert len(list(describe_found(found))) == len(found.ids)


def test_colours_become_classes_of_their_own(tmp_path: Path) -> None:
    rgb = np.zeros((4, 6, 3), np.uint8)
    rgb[:2], rgb[2, :3] = (10, 200, 30), (250, 0, 9)
    write_png(tmp_path / "masks" / "a.png", rgb)
    write_png(tmp_path / "masks" / "dark.png", np.zeros((4, 6, 3), np.uint8))  # its channels are equal
    path = draft(tmp_path / "masks", tmp_path)
    labels = load_labels(path)
    assert labels.classes[0].color == (0, 0, 0)
    assert [c.ids for c in labels.classes] == [(0,), (1,), (2,)]
    assert labels.void == 255
    np.testing.assert_array_equal(labels.colorize(read_mask(tmp_path / "masks" / "a.png", labels)), rgb)
    assert "black often means 'no label': then ignore = [0]" in path.read_text()


def test_a_palette_gives_ids_and_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 255]], np.uint8), "P")
    image.putpalette([0, 0, 0, 9, 9, 200, 7, 80, 9] + [1, 2, 3] * 253)
    image.save(tmp_path / "a.png")
    path = draft(tmp_path, tmp_path / "..")
    labels = load_labels(path)
    assert labels.ids == (0, 1, 2, 255)
    assert labels.classes[1].color == (9, 9, 200)
    assert labels.void == 65535
    assert "255 often means 'no label'" in path.read_text()


@pytest.mark.parametrize("kind", ["high", "low"])
def test_ids_that_lost_a_byte_are_suspect(tmp_path: Path, kind: str) -> None:
    mask = np.array(FALCON.ids, np.uint16).reshape(2, 5)
    write_png(tmp_path / "a.png", (mask >> 8 if kind == "high" else mask & 255).astype(np.uint8))
    found = count_ids(find_masks(tmp_path))
    assert f"of label map 'falcon' its values look like 16-bit ids read as 8 bit (the {kind} byte kept)" in str(
        suspect_damage(found)
    )
    assert "# CAREFUL: " in draft_labels(found, "a", "b")


def test_class_indices_are_not_suspect(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.arange(10, dtype=np.uint8).reshape(2, 5))
    assert suspect_damage(count_ids(find_masks(tmp_path))) is None


def test_what_is_no_mask(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        find_masks(tmp_path / "nowhere")
    rng = np.random.default_rng(0)
    write_png(tmp_path / "depth" / "a.png", rng.integers(0, 65535, (40, 40)).astype(np.uint16))
    with pytest.raises(DataError, match=r"different ids, and a label map has at most 253 classes; .* resized"):
        count_ids(find_masks(tmp_path / "depth"))
    write_png(tmp_path / "rgb" / "a.png", rng.integers(0, 255, (40, 40, 3)).astype(np.uint8))
    with pytest.raises(DataError, match=r"different colours, .* shades of resized or compressed masks"):
        count_ids(find_masks(tmp_path / "rgb"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"none of 1 masks can be read: mask .*a\.png is not an image"):
        count_ids(find_masks(tmp_path / "bad"))


def test_masks_of_several_kinds_and_bad_ones(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.full((2, 2), 300, np.uint16))
    (tmp_path / "b.png").write_bytes(b"")
    found = count_ids(find_masks(tmp_path))
    assert found.total == 1
    assert "is empty" in found.failures[0][1]
    assert "# 1 masks could not be read" in draft_labels(found, "a", "b")
    image = Image.fromarray(np.zeros((2, 2), np.uint8), "P")
    image.putpalette([1, 2, 3])
    image.save(tmp_path / "c.png")
    with pytest.raises(DataError, match="of several kinds, ids and palette"):
        count_ids(find_masks(tmp_path))


def test_distinct_colors_are_far_apart() -> None:
    colors = distinct_colors(40)
    assert len(set(colors)) == 40
    assert colors[:10] == distinct_colors(10)
    lab = cv2.cvtColor(np.array([[(0, 0, 0), *colors]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1000 * np.eye(41)
    assert apart.min() > 20  # a difference of 2 is just seen
