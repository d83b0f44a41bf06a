"""Two deserts as a model sees them: numbers by hand, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import scipy.special

from desertseg.data import Frame, find_frames
from desertseg.data.appearance import NAMES
from desertseg.engine.gap import Gap, compare_surveys, gap
from desertseg.engine.remember import remember_frames
from desertseg.engine.survey import Survey
from desertseg.errors import UserError
from desertseg.labels import load_labels
from desertseg.models import Segmenter
from desertseg.models.familiarity import Familiarity, principal_components
from desertseg.report.gap import gap_lines, quality, shifts, verdict

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def deserts(tmp_path_factory: pytest.TempPathFactory, write_frames: Callable[..., None]) -> Path:
    folder = tmp_path_factory.mktemp("deserts")
    write_frames(folder / "home" / "train", 24, 0)
    write_frames(folder / "home" / "val", 6, 1)
    write_frames(folder / "away", 7, 2, tint=(0, 0, 0))
    return folder


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    """It answers with one of Falcon's classes by brightness, so it is right at home now and then."""
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(10, 1, name="head")(inputs))
    kernel, bias = np.zeros((1, 1, 3, 10), np.float32), np.full(10, -9, np.float32)
    kernel[..., [0, 2, 8, 9]], bias[[0, 2, 8, 9]] = [-2, -0.5, 0.5, 2], [-1, 1, 1, -1]
    network.get_layer("head").set_weights([kernel, bias])
    return Segmenter(network, load_labels("falcon"), (24, 40))


@pytest.fixture(scope="module")
def found(segmenter: Segmenter, deserts: Path, tmp_path_factory: pytest.TempPathFactory) -> Gap:
    out = tmp_path_factory.mktemp("gap") / "gap"
    return gap(segmenter, deserts / "home", deserts / "away", out=out, progress=False)


def test_another_desert_is_told_apart(found: Gap) -> None:
    values = found.values
    assert values["frames"] == {"training": 24, "source": 6, "target": 7}
    assert values["distance"]["separation"] > 0.9
    assert values["distance"]["target"]["median"] > 2 * values["distance"]["source"]["median"]
    assert values["notes"] == [
        f"the model holds no statistics of its training frames; they were taken from {Path(values['source'])}"
    ]
    red = next(row for row in values["appearance"] if row["name"] == "red")
    assert red["shift"] < -1
    assert red["shift"] == pytest.approx((red["target"] - red["source"]) / red["spread"], rel=1e-4)


def test_a_source_that_was_not_trained_on_is_named(segmenter: Segmenter, deserts: Path) -> None:
    home, knowing = deserts / "home", Segmenter(segmenter.network, segmenter.labels, segmenter.size)
    known = remember_frames(segmenter, find_frames(home, "train"), find_frames(home, "val"))
    for shrink, notes in ((1, 0), (1000, 1)):
        knowing.familiarity = replace(known, distances=known.distances / shrink)
        told = gap(knowing, home, deserts / "away", progress=False).values["notes"]
        assert len(told) == notes
    assert "% of the source's own frames lie outside of what the model was trained on" in told[0]


def test_the_truth_is_what_evaluate_counts(found: Gap, segmenter: Segmenter, deserts: Path) -> None:
    from desertseg.engine import evaluate

    scores = evaluate(segmenter, deserts / "away", split=None, progress=False, boundaries=False).scores
    assert found.values["measured"]["target"]["miou_all"] == pytest.approx(scores.miou_all)
    assert found.values["measured"]["target"]["accuracy"] == pytest.approx(scores.pixel_accuracy)
    truth = [row["truth"] for row in found.values["classes"]]
    np.testing.assert_allclose(truth, scores.pixels / scores.pixels.sum())
    predicted = [row["target"] for row in found.values["classes"]]
    np.testing.assert_allclose(predicted, scores.predicted / scores.predicted.sum())


def test_the_folder_holds_it_all(found: Gap, deserts: Path) -> None:
    folder = found.folder
    assert folder is not None
    names = ("appearance.png", "distances.png", "frames.csv", "gap.html", "gap.json", "gap.md", "least_familiar.jpg")
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)
    written = json.loads((folder / "gap.json").read_text())
    assert {k: v for k, v in written.items() if k != "command"} == json.loads(json.dumps(found.values))
    assert len((folder / "frames.csv").read_text().splitlines()) == 1 + 6 + 7
    for name in ("appearance.png", "distances.png", "least_familiar.jpg"):
        assert cv2.imread(str(folder / name)).std() > 10
    page = (folder / "gap.html").read_text()
    assert page.count("data:image") == 3
    assert 'src="http' not in page
    assert verdict(found.values) in (folder / "gap.md").read_text().replace("\\", "")


def test_frames_without_masks_have_no_truth(segmenter: Segmenter, deserts: Path, found: Gap) -> None:
    result = gap(segmenter, deserts / "home", deserts / "away" / "Color_Images", progress=False)
    assert result.folder is None
    assert result.values["measured"]["target"] is None
    assert quality(result.values) == []
    assert result.values["expected"] == found.values["expected"]
    assert "what it really is" in "\n".join(gap_lines(result.values))  # of the source


def test_masks_of_other_ids_are_left_alone_and_bad_frames_out(
    segmenter: Segmenter, deserts: Path, tmp_path: Path, write_frames: Callable[..., None]
) -> None:
    write_frames(tmp_path / "other", 3, 5)
    for path in (tmp_path / "other" / "Segmentation").iterdir():
        cv2.imwrite(str(path), np.full((30, 50), 77, np.uint16))
    (tmp_path / "other" / "Color_Images" / "f001.png").write_bytes(b"no picture")
    result = gap(segmenter, deserts / "home", tmp_path / "other", progress=False)
    assert result.values["frames"]["target"] == 2
    assert result.values["measured"]["target"] is None
    assert any("no mask could be used" in note and "id 77" in note for note in result.values["notes"])
    assert [path.name for path, _ in result.failures] == ["f001.png"]


def test_what_cannot_be_compared_is_said_in_a_line(segmenter: Segmenter, deserts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--source does not tell: .*of 24 and 6 frames"):
        gap(segmenter, deserts / "away", deserts / "away", progress=False)
    (tmp_path / "Color_Images").mkdir()
    (tmp_path / "Color_Images" / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="none of the 1 frames can be read"):
        gap(segmenter, deserts / "home", tmp_path, progress=False)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="not empty"):
        gap(segmenter, deserts / "home", deserts / "away", out=tmp_path / "out", progress=False)


def made_survey(count: int, shift: float, priors: list[float]) -> Survey:
    """Frames of three classes whose logits are the true log-likelihoods under equal class shares, so calibrated."""
    made = Survey(confusion=np.zeros((3, 3), np.int64))
    for k in range(count):
        truth = RNG.choice(3, 400, p=priors)
        seen = RNG.normal(np.eye(3)[truth] * 2, 1)
        logits = 2 * seen  # log N(seen; 2 e_c, 1) but for what all classes share
        answers = logits.argmax(axis=1).astype(np.uint8)
        made.frames.append(Frame(Path(f"{k}.png"), None, str(k)))
        made.features.append(RNG.normal(shift, 1, 4))
        made.appearance.append(RNG.normal(shift, 1, len(NAMES)))
        made.logits.append(logits.astype(np.float16))
        made.answers.append(answers)
        made.labels.append(truth.astype(np.uint8))
        made.counts.append(np.bincount(answers, minlength=3))
        np.add.at(made.confusion, (truth, answers), 1)
    return made


@pytest.fixture(scope="module")
def compared() -> dict:
    known = Familiarity(
        class_shares=np.full(3, 1 / 3),
        **principal_components(RNG.normal(0, 1, (200, 4))),
        distances=np.linspace(0.6, 1.4, 50).astype(np.float32),
    )
    thirds, other = [1 / 3] * 3, [0.8, 0.15, 0.05]
    return compare_surveys(("a", "b", "c"), known, made_survey(60, 0, thirds), made_survey(60, 6, other))


def test_under_label_shift_the_shifted_estimate_is_right(compared: dict) -> None:
    """The model is calibrated where it was trained, so there it expects what it scores, elsewhere after the shift."""
    assert compared["confidence"]["temperature"] == pytest.approx(1, abs=0.05)
    expected, measured = compared["expected"], compared["measured"]
    for key in ("miou_all", "accuracy"):
        assert expected["source"][key] == pytest.approx(measured["source"][key], abs=0.01)
        assert expected["shifted"][key] == pytest.approx(measured["target"][key], abs=0.02)
    assert expected["believed"]["miou_all"] > measured["target"]["miou_all"] + 0.02
    estimated = [row["estimated"] for row in compared["classes"]]
    np.testing.assert_allclose(estimated, [0.8, 0.15, 0.05], atol=0.02)


def test_distance_and_confidence_by_hand(compared: dict) -> None:
    assert compared["distance"]["separation"] == 1
    assert compared["distance"]["target"]["outside"] == 1
    assert compared["distance"]["source"]["median"] == pytest.approx(0.95, abs=0.15)
    listed = [row["distance"] for row in compared["least_familiar"]]
    assert listed == sorted(listed, reverse=True)
    assert len(listed) == 10
    values = {**compared, "notes": [], "frames": {"source": 60, "target": 60}}
    assert verdict(values).startswith("Far: 60 of 60 frames lie outside")
    assert "standard deviations" in shifts(values)


def test_confidence_is_the_mean_of_the_largest_probability() -> None:
    made = made_survey(2, 0, [1 / 3] * 3)
    logits = made.logits[1].astype(np.float64) / 1.7
    expected = scipy.special.softmax(logits, axis=1).max(axis=1).mean()
    assert made.confidences(1.7)[1] == pytest.approx(expected, abs=1e-9)
