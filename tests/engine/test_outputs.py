from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.engine.outputs import OUTPUTS, Labelled, OutputError, OutputFolder, check_outputs, needed_answers
from desertseg.engine.writers import Writers
from desertseg.errors import UserError
from desertseg.labels import load_labels

FALCON = load_labels("falcon")
SIZE = (12, 20)
TREES, ROCKS, SKY = (FALCON.names.index(name) for name in ("Trees", "Rocks", "Sky"))


@pytest.fixture
def frame(tmp_path: Path) -> Labelled:
    """Trees on top, rocks below, a corner of sky, one row unknown; the truth is the same without sky."""
    random = np.random.default_rng(0)
    labels = np.full(SIZE, TREES, np.uint8)
    labels[6:] = ROCKS
    labels[:3, :4] = SKY
    labels[11] = 255
    probabilities = random.dirichlet(np.ones(10), SIZE).astype(np.float16)
    answers = {
        "probabilities": probabilities,
        "confidence": probabilities.max(-1).astype(np.float32),
        "entropy": random.random(SIZE, np.float32),
    }
    truth = np.where(np.arange(SIZE[0])[:, None] < 6, 100, 800).repeat(SIZE[1], 1).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "truth.png"), truth)
    image = random.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    return Labelled("f", image, labels, answers, tmp_path / "truth.png")


def read(folder: Path, kind: str) -> np.ndarray:
    return cv2.imread(str(folder / kind / "f.png"), cv2.IMREAD_UNCHANGED)


def test_every_kind_holds_what_it_says(frame: Labelled, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert OutputFolder(out, OUTPUTS, FALCON).write(frame) is None
    assert sorted(p.name for p in out.iterdir()) == sorted(OUTPUTS)
    masks = read(out, "masks")
    assert masks.dtype == np.uint16
    expected = np.select([frame.labels == TREES, frame.labels == ROCKS, frame.labels == SKY], [100, 800, 10000], 0)
    np.testing.assert_array_equal(masks, expected)
    np.testing.assert_array_equal(read(out, "indices"), frame.labels)
    np.testing.assert_array_equal(read(out, "masks_color")[0, 0, ::-1], FALCON.classes[SKY].color)
    np.testing.assert_array_equal(read(out, "masks_color")[11], 0)
    for kind in ("confidence", "entropy"):
        assert np.abs(read(out, kind) / 255 - frame.answers[kind]).max() <= 0.5 / 255 + 1e-6
    costs = read(out, "costs")
    np.testing.assert_array_equal(costs[8], FALCON.costs[ROCKS])
    np.testing.assert_array_equal(costs[11], 255)
    with np.load(out / "probabilities" / "f.npz") as file:
        np.testing.assert_array_equal(file["probabilities"], frame.answers["probabilities"])
        assert tuple(file["classes"]) == FALCON.names
    assert read(out, "overlays").shape[0] == SIZE[0]
    assert read(out, "comparisons").ndim == 3


def test_nav2_reads_the_costs_back(frame: Labelled, tmp_path: Path) -> None:
    """Read as nav2_map_server documents it: raw samples of 0..100 are the occupancy, and all others unknown."""
    OutputFolder(tmp_path, ("nav2", "costs"), FALCON).write(frame)
    text = (tmp_path / "nav2" / "f.yaml").read_text().splitlines()
    fields = dict(line.split(": ", 1) for line in text if not line.startswith("#"))
    assert set(fields) == {"image", "mode", "resolution", "origin", "negate", "occupied_thresh", "free_thresh"}
    assert fields["mode"] == "raw"
    assert fields["negate"] == "0"
    assert float(fields["free_thresh"]) < float(fields["occupied_thresh"])
    grid = cv2.imread(str(tmp_path / "nav2" / fields["image"].strip('"')), cv2.IMREAD_UNCHANGED).astype(int)
    occupancy = np.where(grid <= 100, grid, -1)
    costs = read(tmp_path, "costs").astype(int)
    np.testing.assert_array_equal(occupancy, np.where(costs == 255, -1, costs))
    assert set(np.unique(occupancy)) == {-1, *(FALCON.costs[i] for i in (TREES, ROCKS) if FALCON.costs[i] is not None)}


def test_a_full_disk_leaves_no_half_frame(frame: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, count = os.replace, 0

    def fill(source: str, target: Path) -> None:
        nonlocal count
        count += 1
        if count > 4:  # the first frame's three files and one of the second
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(source, target)

    monkeypatch.setattr("desertseg.files.os.replace", fill)
    with Writers(OutputFolder(tmp_path / "out", ("masks", "masks_color", "overlays"), FALCON)) as writers:
        writers.add(frame)
        writers.finish()
        writers.add(replace(frame, name="g"))
        with pytest.raises(OutputError, match=r"g\.png cannot be written: No space left on device; .*\(1 frame is wri"):
            writers.finish()
    assert writers.written == ["f"]
    files = [p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert sorted(map(str, files)) == ["masks/f.png", "masks_color/f.png", "overlays/f.png"]


def test_a_bad_truth_costs_only_the_comparison(frame: Labelled, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "small.png"), np.full((4, 4), 100, np.uint16))
    folder = OutputFolder(tmp_path / "out", ("masks", "comparisons"), FALCON)
    note = folder.write(replace(frame, truth=tmp_path / "small.png"))
    assert note is not None
    assert "small.png is 4x4, its frame 20x12" in note
    assert "does not exist" in str(folder.write(replace(frame, truth=tmp_path / "none.png")))
    assert (tmp_path / "out" / "masks" / "f.png").is_file()
    assert not (tmp_path / "out" / "comparisons").exists()


def test_wishes_are_put_in_order_or_refused() -> None:
    assert check_outputs(["costs", "masks", "costs"], FALCON) == ("masks", "costs")
    assert needed_answers(("masks", "entropy", "probabilities")) == ("entropy", "probabilities")
    with pytest.raises(UserError, match=r"no output 'overlay' \(did you mean 'overlays'"):
        check_outputs(["overlay"], FALCON)
    with pytest.raises(UserError, match="no output is asked for"):
        check_outputs([], FALCON)
    bare = replace(FALCON, classes=tuple(replace(c, cost=None) for c in FALCON.classes))
    with pytest.raises(UserError, match="has no costs"):
        check_outputs(["nav2"], bare)
