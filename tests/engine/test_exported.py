"""An exported file answers as the segmenter that it was made of; here the segmenter itself stands for its runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from desertseg.data import fit_box
from desertseg.engine import evaluate, predict
from desertseg.engine import inference as inference_module
from desertseg.engine.answering import Answering
from desertseg.engine.exported import ExportedSegmenter, network_size, open_inference
from desertseg.engine.inference import ANSWERS, Inference, Views, suppression_bias
from desertseg.engine.stopwatch import Stopwatch
from desertseg.errors import UserError
from desertseg.labels import LabelMap, load_labels
from desertseg.models import Segmenter

SIZE = (24, 40)
OF_FEATURES = {"distance"}  # what an exported file knows nothing of


@dataclass
class File:
    """What the engine reads of `desertseg.runtimes.Exported`, computed by a segmenter.

    It takes and gives arrays of NumPy alone, as a runtime does.
    """

    segmenter: Segmenter
    answer: str = "logits"
    input_size: tuple[int, int] | None = None
    memory: dict[str, Any] | None = None
    path: Path = Path("model.onnx")
    runtime: str = "the segmenter itself"
    labels: LabelMap = field(init=False)
    recipe: dict[str, Any] | None = None
    size: tuple[int, int] | None = SIZE

    def __post_init__(self) -> None:
        self.labels = self.segmenter.labels

    def run(self, images: np.ndarray) -> np.ndarray:
        assert isinstance(images, np.ndarray)
        logits = keras.ops.convert_to_numpy(self.segmenter(images, training=False))
        return logits if self.answer == "logits" else logits.argmax(-1).astype(np.uint8)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    inputs = keras.Input((None, None, 3))
    start = keras.initializers.VarianceScaling(30, seed=1)
    network = keras.Model(inputs, keras.layers.Conv2D(10, 3, padding="same", kernel_initializer=start)(inputs))
    return Segmenter(network, load_labels("falcon"), SIZE)


@pytest.fixture
def desert(tmp_path: Path, write_frames: Callable[..., None]) -> Path:
    write_frames(tmp_path / "desert" / "val", 5, seed=1)
    return tmp_path / "desert"


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("views", [Views(), Views((0.5, 1.0), flip=True)])
@pytest.mark.parametrize("large", [False, True])
def test_every_answer_is_the_segmenters(
    segmenter: Segmenter, views: Views, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that can be asked for, of whole frames and by strips, with a bias and other priors."""
    monkeypatch.setattr(inference_module, "is_large", lambda size: large)
    images, native = draw(2, *SIZE, 3), (45, 61)
    box = fit_box(native, SIZE)
    want = [name for name in ANSWERS if name not in OF_FEATURES]
    options = {
        "bias": suppression_bias(segmenter.labels, ["Sky"]),
        "alternatives": np.random.default_rng(1).normal(size=(2, 10)).astype(np.float32),
        "stride": 5,
    }
    plain = Inference(segmenter, views=views).answer(images, box, native, want, **options)
    found = open_inference(ExportedSegmenter(File(segmenter)), views).answer(images, box, native, want, **options)
    assert set(found) == set(want)
    for name, expected in plain.items():
        expected, given = np.asarray(expected), np.asarray(found[name])
        assert given.dtype == expected.dtype
        if expected.dtype == np.uint8:  # the segmenter's logits are rounded otherwise where all is one program
            assert (given == expected).mean() > 0.999
        else:
            np.testing.assert_allclose(given, expected, atol=2e-3, err_msg=name)


def test_scores_and_masks_are_the_segmenters(segmenter: Segmenter, desert: Path, tmp_path: Path) -> None:
    file = ExportedSegmenter(File(segmenter))
    options: dict[str, Any] = {"suppress": ["Sky"], "progress": False}
    ours, theirs = (evaluate(model, desert, **options) for model in (file, segmenter))
    np.testing.assert_array_equal(ours.scores.confusion, theirs.scores.confusion)
    assert ours.details["calibration"]["ece"] == pytest.approx(theirs.details["calibration"]["ece"], abs=1e-4)
    assert ours.details["runtime"] == "the segmenter itself"
    assert "runtime" not in theirs.details
    for name, model in (("file", file), ("segmenter", segmenter)):
        predict(model, desert / "val" / "Color_Images", tmp_path / name, outputs=("masks", "entropy"), progress=False)
    for path in sorted((tmp_path / "segmenter").rglob("*.png")):
        other = tmp_path / "file" / path.relative_to(tmp_path / "segmenter")
        expected, found = (cv2.imread(str(p), cv2.IMREAD_UNCHANGED).astype(int) for p in (path, other))
        assert np.abs(found - expected).max() <= (1 if path.parent.name == "entropy" else 0)


def test_windows_slide_over_an_exported_file(segmenter: Segmenter, desert: Path, tmp_path: Path) -> None:
    frames = desert / "val" / "Color_Images"
    for name, model in (("file", ExportedSegmenter(File(segmenter))), ("segmenter", segmenter)):
        predict(model, frames, tmp_path / name, outputs=["masks"], window=(20, 30), progress=False)
    for path in (tmp_path / "segmenter" / "masks").iterdir():
        assert (tmp_path / "file" / "masks" / path.name).read_bytes() == path.read_bytes()


def test_classes_are_resized_by_nearest_neighbour(segmenter: Segmenter, desert: Path) -> None:
    inference = open_inference(ExportedSegmenter(File(segmenter, answer="labels")))
    images, box = draw(1, *SIZE, 3), fit_box((46, 80), SIZE)
    classes = np.asarray(Inference(segmenter).labels(images, fit_box(SIZE, SIZE), SIZE))[:, box.slices[0]]
    found = inference.answer(images, box, (2 * box.height, 80), ("labels", "finite"))
    np.testing.assert_array_equal(found["labels"], classes.repeat(2, axis=1).repeat(2, axis=2))
    assert found["finite"].all()
    result = evaluate(inference.segmenter, desert, progress=False)
    assert result.details["calibration"] is None
    assert result.frames == 5


def test_what_needs_probabilities_is_refused_of_classes(segmenter: Segmenter, desert: Path, tmp_path: Path) -> None:
    file = ExportedSegmenter(File(segmenter, answer="labels"))
    with pytest.raises(UserError, match=r"^model.onnx gives classes, so there are no probabilities for entropy;"):
        predict(file, desert / "val", tmp_path / "out", outputs=["entropy"])
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="no probabilities for suppressed classes"):
        predict(file, desert / "val", tmp_path / "out", suppress=["Sky"])
    with pytest.raises(UserError, match="no probabilities for windows"):
        predict(file, desert / "val", tmp_path / "out", window=(10, 10))
    with pytest.raises(UserError, match="no probabilities for other priors"):
        evaluate(file, desert, suppress=["Sky"])
    with pytest.raises(UserError, match="test-time augmentation averages probabilities"):
        evaluate(file, desert, tta=True)


def test_a_file_of_one_size_takes_no_other(segmenter: Segmenter, desert: Path) -> None:
    file = ExportedSegmenter(File(segmenter, input_size=(16, 32)))
    assert network_size(file) == (16, 32)
    with pytest.raises(UserError, match=r"model.onnx takes 16x32 alone, not 24x40; export it again with --size 24x40"):
        evaluate(file, desert, size=SIZE)
    with pytest.raises(UserError, match="export it with free size"):
        open_inference(file, Views((0.5, 1.0)))


def test_a_file_estimates_priors_with_what_it_remembers(segmenter: Segmenter, desert: Path) -> None:
    with pytest.raises(UserError, match="does not know the class shares"):
        evaluate(ExportedSegmenter(File(segmenter)), desert, priors="estimated")
    memory = {"class_shares": [0.1] * 10, "temperature": 1.5}
    result = evaluate(ExportedSegmenter(File(segmenter, memory=memory)), desert, priors="estimated", progress=False)
    assert [row["name"] for row in result.details["handling"]] == ["none", "estimated"]


def test_it_cannot_tell_whether_a_frame_is_familiar(segmenter: Segmenter) -> None:
    answering = Answering(open_inference(ExportedSegmenter(File(segmenter))), np.zeros(10, np.float32))
    assert answering.probe is None


@pytest.mark.parametrize("answer", ["logits", "labels"])
def test_it_is_timed_as_a_segmenter_is(segmenter: Segmenter, answer: str) -> None:
    watch = Stopwatch(ExportedSegmenter(File(segmenter, answer=answer)), SIZE)
    _, latency = watch.time_calls(20)
    assert 0 < latency.fastest <= latency.p50 <= latency.slowest
    assert watch.time_batches(2).images_per_second > 0
