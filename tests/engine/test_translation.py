from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from desertseg.data import Box, find_frames, read_mask, write_png
from desertseg.data.read import read_samples
from desertseg.engine import evaluate, evaluate_masks
from desertseg.engine.inference import Views
from desertseg.errors import UserError
from desertseg.label_mapping import LabelMapping
from desertseg.labels import LabelClass, LabelMap, load_labels

FALCON = load_labels("falcon")
# Another desert's names and numbers: two of its classes are one of Falcon's, and Falcon has no word for "snow".
OTHER = LabelMap(
    "other",
    tuple(
        LabelClass(name, (7 + 3 * i,), (i, i, 9))
        for i, name in enumerate(("sky", "sand", "gravel", "plant", "snow", "stone"))
    ),
)
MAPPING = LabelMapping(
    FALCON,
    OTHER,
    {
        **dict.fromkeys(FALCON.names, "plant"),
        "Sky": "sky",
        "Landscape": "ground",
        "Rocks": "stone",
        "Logs": "ignore",
        "Ground Clutter": "ignore",
    },
    {"ground": ("gravel", "sand")},
)


@pytest.fixture(scope="module")
def renumbered(tiny_desert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny desert's validation frames with the other map's ids: flowers lie under snow, and every other pixel of
    the landscape is gravel."""
    folder = tmp_path_factory.mktemp("data") / "other"
    ids = {"Sky": "sky", "Landscape": "sand", "Rocks": "stone", "Flowers": "snow"}
    table = np.zeros(10001, np.uint16)
    for c in FALCON.classes:
        table[c.ids[0]] = OTHER.ids[OTHER.names.index(ids.get(c.name, "plant"))]
    for frame in find_frames(tiny_desert, "val"):
        assert frame.mask is not None
        samples = read_samples(frame.mask)
        mask = table[samples]
        mask[:, ::2][samples[:, ::2] == 7100] = OTHER.ids[OTHER.names.index("gravel")]
        (folder / "images").mkdir(parents=True, exist_ok=True)
        (folder / "images" / frame.image.name).write_bytes(frame.image.read_bytes())
        write_png(folder / "masks" / frame.mask.name, mask)
    return folder


def count_by_hand(data: Path, predictions: Path) -> np.ndarray:
    """The confusion matrix pixel by pixel of raw ids, no answer in the last column."""
    scored = MAPPING.scored.names
    truth_of = {"sand": "ground", "gravel": "ground"}
    by_truth = {i: truth_of.get(c.name, c.name) for c in OTHER.classes for i in c.ids}
    by_answer = {i: MAPPING.classes[c.name] for c in FALCON.classes for i in c.ids}
    matrix = np.zeros((len(scored), len(scored) + 1), np.int64)
    for frame in find_frames(data):
        assert frame.mask is not None
        answers = read_samples(predictions / frame.mask.name)
        for truth, answer in zip(read_samples(frame.mask).flat, answers.flat, strict=True):
            if by_truth[truth] != "snow":
                column = by_answer[answer]
                matrix[scored.index(by_truth[truth]), scored.index(column) if column != "ignore" else len(scored)] += 1
    return matrix


def test_masks_of_another_map_are_scored_as_by_hand(renumbered: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for frame in find_frames(renumbered):
        assert frame.mask is not None
        write_png(tmp_path / "masks" / frame.mask.name, rng.choice(FALCON.ids, (48, 80)).astype(np.uint16))
    result = evaluate_masks(tmp_path / "masks", renumbered, split=None, mapping=MAPPING, progress=False)
    expected = count_by_hand(renumbered, tmp_path / "masks")
    np.testing.assert_array_equal(result.scores.confusion, expected[:, :-1])
    np.testing.assert_array_equal(result.scores.unanswered, expected[:, -1])
    assert result.labels.names == ("sky", "ground", "plant", "stone")
    snow = sum(int((read_samples(str(f.mask)) == OTHER.ids[4]).sum()) for f in find_frames(renumbered))
    stored = json.loads((tmp_path / "masks" / "evaluation" / "other-all" / "evaluation.json").read_text())["mapping"]
    assert stored["left_out"] == {"snow": snow}
    assert stored["left_out_share"] == pytest.approx(snow / (5 * 48 * 80))
    assert stored["unanswered"] == ["Ground Clutter", "Logs"]
    text = (tmp_path / "masks" / "evaluation" / "other-all" / "report.html").read_text()
    assert "are not scored: snow" in text


class Guesser:
    """Answers any frame with labels of Falcon that follow from where a pixel lies, as `Inference` does."""

    views, knows_probabilities = Views(), True

    def __init__(self, segmenter: object, views: object) -> None:
        self.segmenter = segmenter

    def check(self, want: object) -> None:
        """It can give whatever it is asked for."""

    def answer(self, images: np.ndarray, box: Box, size: tuple[int, int], want: object, **rest: object) -> dict:
        labels = np.tile(guess(size), (len(images), 1, 1))
        sure = np.ones(labels.shape, np.float32)
        return {
            "labels": labels,
            "confidence": sure,
            "sample": np.zeros((len(images), 4, 4, 10)),
            "alternatives": labels[None],
        }


def guess(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 10, size).astype(np.uint8)


def test_a_model_is_scored_as_its_own_matrix_with_rows_and_columns_added_up(
    tiny_desert: Path, renumbered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = SimpleNamespace(labels=FALCON, size=(32, 64), recipe=None)
    module = import_module("desertseg.engine.evaluate")
    monkeypatch.setattr(module, "load_model", lambda model: segmenter)
    monkeypatch.setattr(module, "open_inference", Guesser)
    result = evaluate("a", renumbered, split=None, mapping=MAPPING, suppress=["Sky"], out=tmp_path, progress=False)
    plain = np.zeros((10, 10), np.int64)
    for frame in find_frames(tiny_desert, "val"):
        truth = FALCON.encode(read_samples(str(frame.mask)))
        np.add.at(plain, (truth, guess((48, 80))), 1)
    scored = MAPPING.scored.names
    columns = np.zeros((10, len(scored) + 1), np.int64)
    for index, name in enumerate(FALCON.names):
        columns[index, scored.index(MAPPING.classes[name]) if MAPPING.classes[name] != "ignore" else -1] = 1
    rows = columns[:, :-1].copy()
    rows[FALCON.names.index("Flowers")] = 0  # under snow
    for name in ("Logs", "Ground Clutter"):  # plants in the other map, which the model has no word for
        rows[FALCON.names.index(name), scored.index("plant")] = 1
    expected = rows.T @ plain @ columns
    np.testing.assert_array_equal(result.scores.confusion, expected[:, :-1])
    np.testing.assert_array_equal(result.scores.unanswered, expected[:, -1])
    assert result.details["calibration"] is None
    assert [row["name"] for row in result.details["handling"]] == ["none", "suppressed"]


def test_the_worst_frames_are_drawn_with_the_classes_that_are_scored(renumbered: Path, tmp_path: Path) -> None:
    for frame in find_frames(renumbered):
        assert frame.mask is not None
        write_png(tmp_path / "masks" / frame.mask.name, np.full((48, 80), 800, np.uint16))
    result = evaluate_masks(tmp_path / "masks", renumbered, split=None, mapping=MAPPING, progress=False)
    pictures = [row["picture"] for rows in result.details["worst"].values() for row in rows]
    assert pictures
    assert all((result.folder / p).is_file() for p in pictures)  # type: ignore[operator]
    np.testing.assert_array_equal(
        np.unique(read_mask(str(find_frames(renumbered)[0].mask), MAPPING.scored)), [0, 1, 2, 3, 255]
    )


def test_a_mapping_of_another_model(renumbered: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not for label map 'other'"):
        evaluate_masks(tmp_path, renumbered, labels=OTHER, split=None, mapping=MAPPING, progress=False)
