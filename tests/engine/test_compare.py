"""Runs compared on folders of counts made by hand; no model is needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from desertseg.engine.compare import Difference, compare
from desertseg.errors import UserError
from desertseg.labels import LabelMap, load_labels

FALCON = load_labels("falcon")
NAMES = FALCON.names
FRAMES = [f"{scene}{i:02}" for scene in ("cc", "mt", "w") for i in range(8)]

Write = Callable[..., Path]


def count_frames(names: list[str], right: float, seed: int = 0) -> np.ndarray:
    """Counts (N, 10, 10) of frames whose truth follows from their name, and whose prediction is right so often."""
    generator = np.random.default_rng(seed)
    confusions = np.zeros((len(names), 10, 10), np.int32)
    for confusion, name in zip(confusions, names, strict=True):
        its_own = np.random.default_rng(sum(map(ord, name)))
        pixels = its_own.multinomial(5000, its_own.dirichlet(np.full(10, 2.0)))
        pixels[6] = 40 if name == "w03" else 0  # Logs, in one frame alone
        pixels[5] = 0 if not name.startswith("cc") else pixels[5]  # Flowers, in one scene
        for truth in range(10):
            chances = np.full(10, (1 - right) / 9)
            chances[truth] = right
            confusion[truth] = generator.multinomial(pixels[truth], chances)
    return confusions


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(
        name: str,
        confusion: np.ndarray,
        names: list[str] = FRAMES,
        labels: LabelMap = FALCON,
        unanswered: np.ndarray | None = None,
        **details: object,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "evaluation.json").write_text(json.dumps({"label_map": labels.to_dict(), **details}))
        np.savez_compressed(
            folder / "frames.npz",
            names=np.array(names),
            scenes=np.array([n.rstrip("0123456789") for n in names]),
            confusion=confusion,
            unanswered=np.zeros(confusion.shape[:2], np.int32) if unanswered is None else unanswered,
        )
        return folder

    return write


def test_differences_are_those_of_scikit_learn(write: Write) -> None:
    counts = count_frames(FRAMES, 0.6), count_frames(FRAMES, 0.7, seed=1)
    found = compare([write("a", counts[0]), write("b", counts[1])])
    (run,) = found.runs
    assert [row.name for row in run.classes] == list(NAMES)
    for index, row in enumerate(run.classes):
        for value, confusions in ((row.baseline, counts[0]), (row.value, counts[1])):
            matrix = confusions.sum(axis=0)
            truth, predicted = (np.repeat(axis.ravel(), matrix.ravel()) for axis in np.indices(matrix.shape))
            assert value == pytest.approx(jaccard_score(truth == index, predicted == index))
        assert row.difference == row.value - row.baseline
    assert run.means["miou"].value == pytest.approx(np.mean([row.value for row in run.classes]))
    assert found.frames == 24
    assert found.pixels == counts[0].sum()
    assert found.left_out == 0
    assert "by scene of 3 whole scenes, which is few" in found.intervals


def test_a_better_run_is_called_so_and_the_other_way_round_worse(write: Write) -> None:
    a, b = write("a", count_frames(FRAMES, 0.6)), write("b", count_frames(FRAMES, 0.7, seed=1))
    forth, back = compare([a, b]).runs[0], compare([b, a]).runs[0]
    assert forth.means["miou"].verdict == "better"
    assert back.means["miou"].verdict == "worse"
    for one, two in zip((*forth.classes, *forth.means.values()), (*back.classes, *back.means.values()), strict=True):
        for ends, opposite in ((one.by_frame, two.by_frame), (one.by_scene, two.by_scene)):
            if ends is None:
                assert opposite is None
            else:
                assert ends == pytest.approx((-opposite[1], -opposite[0]), abs=1e-12)


def test_what_too_few_frames_show_cannot_be_told(write: Write) -> None:
    rows = {
        row.name: row
        for row in compare([write("a", count_frames(FRAMES, 0.3)), write("b", count_frames(FRAMES, 0.9))])
        .runs[0]
        .classes
    }
    assert rows["Logs"].difference > 0.02
    assert rows["Logs"].by_frame is rows["Logs"].by_scene is None
    assert rows["Logs"].verdict == "cannot tell"
    assert rows["Flowers"].by_scene is None  # one scene shows them; the frames decide
    assert rows["Flowers"].verdict == "better"


def test_equal_runs_cannot_be_told_apart(write: Write) -> None:
    counts = count_frames(FRAMES, 0.6)
    first, second = compare([write("a", counts), write("b", counts), write("c", count_frames(FRAMES, 0.6, 7))]).runs
    for row in (*first.classes, *first.means.values()):
        assert row.difference == 0
        assert row.verdict == "cannot tell"
    assert second.means["miou"].difference != 0
    assert second.means["miou"].verdict == "cannot tell"


@pytest.mark.parametrize(
    ("by_frame", "by_scene", "verdict"),
    [
        ((0.01, 0.02), (0.001, 0.03), "better"),
        ((0.01, 0.02), None, "better"),
        ((0.01, 0.02), (-0.001, 0.03), "cannot tell"),
        ((-0.02, -0.01), (-0.3, -0.001), "worse"),
        ((-0.02, -0.01), (0.01, 0.02), "cannot tell"),
        ((0.0, 0.0), (0.0, 0.0), "cannot tell"),
        (None, None, "cannot tell"),
    ],
)
def test_a_verdict_needs_every_interval(by_frame, by_scene, verdict) -> None:
    assert Difference("Rocks", 0.5, 0.6, by_frame, by_scene).verdict == verdict


def test_only_frames_that_all_have_count_in_any_order(write: Write) -> None:
    some = FRAMES[3:20][::-1]
    alone = compare(
        [write("x", count_frames(FRAMES, 0.6)[3:20], FRAMES[3:20]), write("y", count_frames(some, 0.7), some)]
    )
    mixed = compare([write("a", count_frames(FRAMES, 0.6)), write("b", count_frames(some, 0.7), some)])
    assert mixed.frames == 17
    assert mixed.left_out == 7
    assert mixed.runs[0].means["miou"] == alone.runs[0].means["miou"]


def test_frames_of_one_name_are_kept_apart(write: Write) -> None:
    twice = [*FRAMES, *FRAMES]
    counts = np.concatenate([count_frames(FRAMES, 0.6), count_frames(FRAMES, 0.8)])
    assert compare([write("a", counts, twice), write("b", counts, twice)]).frames == 48


def test_unanswered_pixels_belong_to_the_truth(write: Write) -> None:
    counts = count_frames(FRAMES, 0.6)
    unanswered = np.einsum("ncc->nc", counts) // 2
    poorer = counts.copy()
    poorer[:, range(10), range(10)] -= unanswered
    (run,) = compare([write("a", counts), write("b", poorer, unanswered=unanswered)]).runs
    matrix, hits = counts.sum(0), np.einsum("ncc->c", poorer)
    union = matrix.sum(1) + matrix.sum(0) - unanswered.sum(0) - hits
    np.testing.assert_allclose([row.value for row in run.classes], hits / union)
    assert run.means["pixel_accuracy"].verdict == "worse"


def test_a_run_folder_stands_for_the_evaluation_that_all_have(write: Write, tmp_path: Path) -> None:
    for run in ("a", "b"):
        for name in ("falcon-val", f"only-{run}"):
            write(f"{run}/evaluation/{name}", count_frames(FRAMES, 0.6))
    outside = write("falcon-val", count_frames(FRAMES, 0.6))
    a, b = tmp_path / "a", tmp_path / "b"
    assert compare([a, b]).baseline == a / "evaluation" / "falcon-val"
    assert compare([a, outside]).runs[0].folder == outside
    with pytest.raises(UserError, match="not every run has an evaluation 'falcon-va' \\(did you mean 'falcon-val'"):
        compare([a, b], evaluation="falcon-va")
    for run in ("a", "b"):
        write(f"{run}/evaluation/creek-all", count_frames(FRAMES, 0.6))
    with pytest.raises(UserError, match="in common, creek-all, falcon-val; choose by --evaluation"):
        compare([a, b])
    assert compare([a, b], evaluation="creek-all").baseline.name == "creek-all"
    assert compare([a, outside]).baseline.name == "falcon-val"


def test_what_cannot_be_compared_is_refused(write: Write, tmp_path: Path) -> None:
    counts = count_frames(FRAMES, 0.6)
    a = write("a", counts)
    with pytest.raises(UserError, match="two or more runs"):
        compare([a])
    with pytest.raises(UserError, match="none does not exist"):
        compare([a, tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no evaluation; make one: desertseg evaluate"):
        compare([a, tmp_path / "empty"])
    write("r/evaluation/x-val", counts)
    write("s/evaluation/y-val", counts)
    with pytest.raises(UserError, match=r"no evaluation in common: .*r has x-val; .*s has y-val"):
        compare([tmp_path / "r", tmp_path / "s"])
    with pytest.raises(UserError, match=r"label map 'falcon', .* 'falcon_starter' \(class Trees / Background\)"):
        compare([a, write("starter", counts, labels=load_labels("falcon_starter"))])
    others = [f"zz{i}" for i in range(24)]
    with pytest.raises(UserError, match="no frame in common"):
        compare([a, write("elsewhere", counts, others)])
    moved = counts.copy()
    moved[2, 1] += 1
    with pytest.raises(
        UserError, match=r"frame cc02 has .* pixels of Lush Bushes .*\(1 frames differ\): the masks are not"
    ):
        compare([a, write("moved", moved)])
    with pytest.raises(UserError, match="one was scored at native, the other at input size"):
        compare([a, write("input", moved, at="input")])
    with pytest.raises(UserError, match="cannot be written"):
        compare([a, a], out=a / "frames.npz" / "x.json")


def test_damaged_folders_are_named(write: Write) -> None:
    counts = count_frames(FRAMES, 0.6)
    a, b = write("a", counts), write("b", counts)
    with pytest.raises(UserError, match=r"does not fit evaluation\.json"):
        compare([a, write("short", counts[:5])])
    (b / "frames.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(UserError, match="damaged evaluation"):
        compare([a, b])
    (b / "frames.npz").unlink()
    with pytest.raises(UserError, match=r"frames\.npz does not exist; evaluate it again"):
        compare([a, b])
    (b / "evaluation.json").write_text("{")
    with pytest.raises(UserError, match="damaged evaluation"):
        compare([a, b])


def test_the_json_says_everything(write: Write, tmp_path: Path) -> None:
    a, b = write("a", count_frames(FRAMES, 0.6)), write("b", count_frames(FRAMES, 0.7))
    found = compare([a, b], out=tmp_path / "new" / "difference.json")
    values = json.loads((tmp_path / "new" / "difference.json").read_text())
    assert values == json.loads(json.dumps(found.to_dict()))
    trees = values["runs"][0]["classes"]["Trees"]
    assert trees["by_frame"] == list(found.runs[0].classes[0].by_frame)
    assert trees["verdict"] == "better"
    assert values["runs"][0]["classes"]["Logs"]["by_scene"] is None
