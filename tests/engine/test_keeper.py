from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.data import Frame
from desertseg.engine.keeper import Keeper, check_monitor, check_validation, monitor_value
from desertseg.errors import UserError
from desertseg.labels import LabelClass, LabelMap
from desertseg.metrics import Scores

NAMES = ("Ground", "Rocks", "Logs")
EMPTY = Scores(np.zeros((3, 3), np.int64), NAMES)
# Ground: 6 true, 4 hit. Rocks: 4 true, 3 hit. Logs: none, nor predicted. So the IoUs are 4/7, 3/6 and nothing.
SCORES = Scores(np.array([[4, 2, 0], [1, 3, 0], [0, 0, 0]]), NAMES)


def scored(hits: float) -> Scores:
    """Two classes of a thousand pixels each, a share of them hit: pixel accuracy is `hits`."""
    if math.isnan(hits):
        return EMPTY
    right = round(1000 * hits)
    return Scores(np.array([[right, 1000 - right, 0], [1000 - right, right, 0], [0, 0, 0]]), NAMES)


def write(path: Path, weights: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(weights)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("miou", (4 / 7 + 3 / 6) / 2),
        ("miou_all", (4 / 7 + 3 / 6) / 3),
        ("pixel_accuracy", 0.7),
        ("mean_accuracy", (4 / 6 + 3 / 4) / 2),
        ("dice", (8 / 11 + 6 / 9) / 2),
        ("frequency_weighted_iou", 0.6 * 4 / 7 + 0.4 * 3 / 6),
        ("min_iou", 3 / 6),
        ("iou:Ground", 4 / 7),
        ("iou:Logs", math.nan),
        ("loss", 0.25),
    ],
)
def test_a_monitor_is_what_its_name_says(name: str, expected: float) -> None:
    check_monitor(name, NAMES)
    assert monitor_value(name, SCORES, 0.25) == pytest.approx(expected, nan_ok=True)
    assert math.isnan(monitor_value(name, EMPTY, 0.0))  # no labelled pixel: not even the loss counts


def test_a_class_that_is_predicted_but_absent_has_no_value() -> None:
    phantom = Scores(np.array([[4, 2, 9], [1, 3, 0], [0, 0, 0]]), NAMES)
    assert math.isnan(monitor_value("iou:Logs", phantom, 0.0))
    assert monitor_value("min_iou", phantom, 0.0) == pytest.approx(4 / 16)


@pytest.mark.parametrize(("name", "near"), [("mIoU", "miou"), ("iou:Rock", "iou:Rocks"), ("los", "loss")])
def test_a_wrong_monitor_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UserError, match=rf"train\.monitor is '{name}' \(did you mean '{near}'\?\)"):
        check_monitor(name, NAMES)


def test_the_best_and_the_few_best_are_kept(tmp_path: Path) -> None:
    keeper = Keeper("pixel_accuracy", NAMES, keep=2, folder=tmp_path)
    for epoch, value in enumerate([0.5, 0.7, 0.6, 0.7, 0.65], 1):
        verdict = keeper.judge(epoch, {"raw": (scored(value), 1.0)})
        assert verdict.improved == (epoch in (1, 2))
        keeper.keep(verdict, lambda path, weights, epoch=epoch: write(path, f"{weights} {epoch}"))
        kept = {1: {1}, 2: {1, 2}, 3: {2, 3}}.get(epoch, {2, 4})
        assert {int(p.name.split("-")[1]) for p in (tmp_path / "top").iterdir()} == kept
    files = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.keras")}
    assert files == {
        "best.keras": "raw 2",  # an equal one comes too late
        "top/epoch-002-0.7000.keras": "raw 2",
        "top/epoch-004-0.7000.keras": "raw 4",
    }
    assert {str(p.relative_to(tmp_path)) for p in keeper.files} == set(files)
    assert (keeper.best.epoch, keeper.best.value, keeper.waited) == (2, 0.7, 3)
    assert keeper.best.miou == pytest.approx(0.7 / 1.3)


def test_one_model_is_one_file(tmp_path: Path) -> None:
    keeper = Keeper("miou", NAMES, folder=tmp_path)
    for epoch, value in enumerate([0.5, 0.7, 0.6], 1):
        verdict = keeper.judge(epoch, {"raw": (scored(value), 1.0)})
        keeper.keep(verdict, lambda path, weights, epoch=epoch: write(path, str(epoch)))
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["best.keras"]
    assert (tmp_path / "best.keras").read_text() == "2"


def test_a_loss_is_best_when_lowest(tmp_path: Path) -> None:
    keeper = Keeper("loss", NAMES, keep=2, folder=tmp_path)
    verdicts = [keeper.judge(e, {"raw": (scored(0.5), v)}) for e, v in enumerate([2.0, 3.0, 1.0, math.inf], 1)]
    assert [v.improved for v in verdicts] == [True, False, True, False]
    assert [k.epoch for k in keeper.kept] == [3, 1]


def test_the_better_of_raw_and_averaged_weights_counts() -> None:
    keeper = Keeper("pixel_accuracy", NAMES)
    verdict = keeper.judge(1, {"raw": (scored(0.5), 1.0), "ema": (scored(0.3), 1.0)})
    assert (verdict.weights, verdict.value) == ("raw", 0.5)
    verdict = keeper.judge(2, {"raw": (scored(0.4), 1.0), "ema": (scored(0.6), 1.0)})
    assert (verdict.weights, verdict.value, verdict.improved) == ("ema", 0.6, True)
    assert keeper.best.weights == "ema"
    assert keeper.judge(3, {"raw": (scored(0.6), 1.0), "ema": (scored(0.6), 1.0)}).weights == "raw"
    assert keeper.judge(4, {"raw": (EMPTY, 0.0), "ema": (scored(0.1), 1.0)}).weights == "ema"


def test_patience_ends_a_training_and_nothing_is_never_better() -> None:
    keeper = Keeper("miou", NAMES, patience=2)
    values = [math.nan, 0.5, 0.6, math.nan, 0.6]
    verdicts = [keeper.judge(e, {"raw": (scored(v), 0.0)}) for e, v in enumerate(values, 1)]
    assert [v.improved for v in verdicts] == [False, True, True, False, False]
    assert [v.stop for v in verdicts] == [False, False, False, False, True]
    assert verdicts[3].write == ()
    assert not Keeper("miou", NAMES).judge(1, {"raw": (EMPTY, 0.0)}).stop


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    values=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, math.nan]), min_size=2, max_size=9),
    cut=st.integers(0, 8),
    keep=st.integers(1, 3),
    monitor=st.sampled_from(["miou", "loss", "iou:Rocks"]),
)
def test_a_keeper_goes_on_as_if_it_had_never_been_away(values: list[float], cut: int, keep: int, monitor: str) -> None:
    whole = Keeper(monitor, NAMES, keep=keep, patience=3)
    parted = Keeper(monitor, NAMES, keep=keep, patience=3)
    for epoch, value in enumerate(values, 1):
        if epoch - 1 == cut:
            parted = Keeper.from_dict(json.loads(json.dumps(parted.to_dict(), allow_nan=False)))
        measured = {"raw": (scored(value), value), "ema": (scored(0.25), 0.25)}
        assert repr(whole.judge(epoch, measured)) == repr(parted.judge(epoch, measured))
    assert whole.to_dict() == parted.to_dict()
    better = min if monitor == "loss" else max
    assert whole.best.value == better(k.value for k in whole.kept)
    assert len(whole.kept) == min(keep, len(values))


def test_what_cannot_be_written_is_not_the_best(tmp_path: Path) -> None:
    keeper = Keeper("miou", NAMES, keep=2, folder=tmp_path)
    keeper.keep(keeper.judge(1, {"raw": (scored(0.5), 1.0)}), write)

    def full(path: Path, weights: str) -> None:
        raise OSError(28, "No space left on device")

    keeper.keep(keeper.judge(2, {"raw": (scored(0.9), 1.0)}), full)
    assert keeper.problem == f"{tmp_path / 'best.keras'} cannot be written: No space left on device; training goes on"
    assert keeper.best.epoch == 1
    assert all(p.is_file() for p in keeper.files)
    verdict = keeper.judge(3, {"raw": (scored(0.7), 1.0)})
    assert verdict.improved
    assert keeper.waited == 1  # since epoch 2, which no disk makes worse
    keeper.keep(verdict, write)
    assert keeper.problem is None
    assert all(p.is_file() for p in keeper.files)


def test_only_models_of_its_own_are_removed(tmp_path: Path) -> None:
    for name in ("epoch-009-0.9000.keras", "mine.keras", "epoch-1.txt"):
        write(tmp_path / "top" / name, "")
    keeper = Keeper("miou", NAMES, keep=2, folder=tmp_path)
    keeper.keep(keeper.judge(1, {"raw": (scored(0.5), 1.0)}), write)
    left = {p.name for p in (tmp_path / "top").iterdir()}
    assert left == {"mine.keras", "epoch-1.txt", keeper.kept[0].file.removeprefix("top/")}


def test_of_several_processes_one_writes(tmp_path: Path) -> None:
    keepers = [Keeper("miou", NAMES, keep=2, folder=tmp_path / str(w), write=w) for w in (True, False)]
    for epoch, value in enumerate([0.5, 0.7, 0.6], 1):
        for keeper in keepers:
            keeper.keep(keeper.judge(epoch, {"raw": (scored(value), 1.0)}), write)
    assert keepers[0].to_dict() == keepers[1].to_dict()
    assert {p.name for p in tmp_path.iterdir()} == {"True"}


@pytest.mark.parametrize(("keep", "patience"), [(0, 0), (1, -1)])
def test_numbers_out_of_range_are_refused(keep: int, patience: int) -> None:
    with pytest.raises(UserError, match="give"):
        Keeper("miou", NAMES, keep=keep, patience=patience)


def test_masks_without_a_labelled_pixel_are_refused(tmp_path: Path) -> None:
    labels = LabelMap("two", (LabelClass("Ground", (1,), (9, 9, 9)), LabelClass("Rocks", (2,), (8, 8, 8))), ignore=(0,))
    frames = []
    for number, raw in enumerate((0, 1)):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((4, 6), raw, np.uint16))
        frames.append(Frame(path, path, path.stem))
    check_validation(frames, labels)
    check_validation(frames, labels, "iou:Ground")
    with pytest.raises(UserError, match="no pixel of the 1 validation masks has a class of label map 'two'"):
        check_validation(frames[:1], labels)
    with pytest.raises(UserError, match="'iou:Rocks' has no value: none of the 2 validation masks has a pixel"):
        check_validation(frames, labels, "iou:Rocks")
