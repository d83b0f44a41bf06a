from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from keras import ops

from desertseg.data.video import VideoWriter
from desertseg.engine import Predictions, predict
from desertseg.engine.checkpoint import save_segmenter
from desertseg.errors import UserError
from desertseg.labels import load_labels
from desertseg.models import Segmenter
from desertseg.models.familiarity import Familiarity, principal_components

FALCON = load_labels("falcon")
SIZE = (32, 64)


def build(dark_is_nan: bool = False) -> Segmenter:
    """Return a network of one convolution, which compiles in no time."""
    image = keras.Input((None, None, 3))
    seen = ops.sqrt(image + 1.0) if dark_is_nan else image  # a black pixel is below -1 when it is normalised
    start = keras.initializers.VarianceScaling(30, seed=1)  # large logits: some answers are sure
    logits = keras.layers.Conv2D(10, 3, padding="same", kernel_initializer=start)(seen)
    return Segmenter(keras.Model(image, logits), "falcon", size=SIZE)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return build()


@pytest.fixture
def frames(tiny_desert: Path) -> list[Path]:
    return sorted((tiny_desert / "val" / "Color_Images").glob("*.png"))


@pytest.fixture
def fitting_frames(frames: list[Path], tmp_path: Path) -> list[Path]:
    """Three frames of the training size, so that nothing is resized."""
    (tmp_path / "fitting").mkdir()
    paths = [tmp_path / "fitting" / path.name for path in frames[:3]]
    for source, path in zip(frames, paths, strict=False):
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(source)), SIZE[::-1], interpolation=cv2.INTER_AREA))
    return paths


def expected_logits(segmenter: Segmenter, path: Path) -> np.ndarray:
    image = cv2.imread(str(path))[None, ..., ::-1]
    return np.asarray(ops.convert_to_numpy(segmenter(image, training=False)))[0].astype(np.float64)


def softmax(logits: np.ndarray) -> np.ndarray:
    likely = np.exp(logits - logits.max(-1, keepdims=True))
    return likely / likely.sum(-1, keepdims=True)


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def indices(result: Predictions, path: Path) -> np.ndarray:
    return read(result.folder / "indices" / f"{path.stem}.png")


def test_a_mixture_of_sources_keeps_order_names_and_sizes(
    segmenter: Segmenter, frames: list[Path], tmp_path: Path
) -> None:
    large = cv2.resize(cv2.imread(str(frames[0])), (150, 70), interpolation=cv2.INTER_AREA)
    (tmp_path / "more").mkdir()
    cv2.imwrite(str(tmp_path / "more" / "zebra.jpg"), large)
    cv2.imwrite(str(tmp_path / "more" / "dot.png"), large[:1, :1])
    shutil.copy(frames[0], tmp_path / "more" / "ant.png")
    sources = [frames[2], tmp_path / "more", str(frames[0].parent / f"{frames[1].stem}*")]
    result = predict(segmenter, sources, tmp_path / "out", progress=False)
    assert [p.stem for p in result.masks] == [frames[2].stem, "ant", "dot", "zebra", frames[1].stem]
    assert result.frames == tuple(p.stem for p in result.masks)
    assert result.failures == ()
    assert result.look == tmp_path / "out" / "overlays" / f"{frames[2].stem}.png"
    for path, size in zip(result.masks, [(48, 80), (48, 80), (1, 1), (70, 150), (48, 80)], strict=True):
        mask = read(path)
        assert mask.dtype == np.uint16
        assert mask.shape == size
        assert set(np.unique(mask)) <= set(FALCON.ids)
        color = cv2.imread(str(tmp_path / "out" / "masks_color" / path.name))[..., ::-1]
        np.testing.assert_array_equal(color, FALCON.colorize(FALCON.encode(mask)))
        overlay = cv2.imread(str(tmp_path / "out" / "overlays" / path.name))
        assert overlay.shape[0] == size[0]
        assert overlay.shape[1] > size[1]  # the legend stands on the right


def test_masks_are_the_argmax_of_the_models_logits(
    segmenter: Segmenter, fitting_frames: list[Path], tmp_path: Path
) -> None:
    """Where a frame has the training size, nothing is resized and the mask is the model's own argmax."""
    save_segmenter(segmenter, tmp_path / "model.keras")
    result = predict(tmp_path / "model.keras", fitting_frames[0], tmp_path / "out", progress=False)
    logits = expected_logits(segmenter, fitting_frames[0])
    np.testing.assert_array_equal(read(result.masks[0]), np.array(FALCON.ids)[logits.argmax(-1)])


def test_suppressed_classes_and_doubtful_pixels(
    segmenter: Segmenter, fitting_frames: list[Path], tmp_path: Path
) -> None:
    usual = [np.bincount(expected_logits(segmenter, p).argmax(-1).ravel(), minlength=10) for p in fitting_frames]
    common = int(np.sum(usual, axis=0).argmax())
    outputs = ("indices", "probabilities", "confidence", "entropy")
    options = {"outputs": outputs, "suppress": [FALCON.names[common]], "confidence": 0.5, "batch_size": 2}
    result = predict(segmenter, fitting_frames, tmp_path / "out", progress=False, **options)
    assert result.masks == ()
    assert 0 <= result.idle <= 1
    for path in fitting_frames:
        logits = expected_logits(segmenter, path)
        logits[..., common] = -np.inf
        likely = softmax(logits)
        known = likely.max(-1) >= 0.5
        assert 0 < known.mean() < 1
        sure = np.abs(likely.max(-1) - 0.5) > 1e-4  # float32 may fall to either side
        np.testing.assert_array_equal(indices(result, path)[sure], np.where(known, likely.argmax(-1), 255)[sure])
        with np.load(result.folder / "probabilities" / f"{path.stem}.npz") as file:
            np.testing.assert_allclose(file["probabilities"], likely, atol=1e-3)
        confidence = read(result.folder / "confidence" / f"{path.stem}.png")
        np.testing.assert_allclose(confidence / 255, likely.max(-1), atol=0.5 / 255 + 1e-4)
        entropy = -(likely * np.log(np.maximum(likely, 1e-300))).sum(-1) / np.log(10)
        np.testing.assert_allclose(
            read(result.folder / "entropy" / f"{path.stem}.png") / 255, entropy, atol=0.5 / 255 + 1e-4
        )


def test_estimated_priors_shift_the_answers(fitting_frames: list[Path], tmp_path: Path) -> None:
    model = build()
    options = {"outputs": ["indices"], "priors": "estimated", "progress": False}
    with pytest.raises(UserError, match="does not know the class shares"):
        predict(model, fitting_frames, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    model.familiarity = Familiarity(class_shares=np.full(10, 0.1))
    result = predict(model, fitting_frames, tmp_path / "out", **options)
    assert result.priors is not None
    found = np.mean([softmax(expected_logits(model, p)).mean((0, 1)) for p in fitting_frames], axis=0)
    assert np.corrcoef(result.priors.target, found)[0, 1] > 0.9
    for path in fitting_frames:
        shifted = expected_logits(model, path) + result.priors.bias
        top = np.sort(shifted, axis=-1)
        clear = top[..., -1] - top[..., -2] > 1e-4
        np.testing.assert_array_equal(indices(result, path)[clear], shifted.argmax(-1)[clear])


def test_a_window_that_covers_the_frame_answers_as_the_frame(
    segmenter: Segmenter, fitting_frames: list[Path], tmp_path: Path
) -> None:
    whole = predict(segmenter, fitting_frames, tmp_path / "whole", outputs=["indices"], progress=False)
    slid = predict(segmenter, fitting_frames, tmp_path / "slid", outputs=["indices"], window=SIZE, progress=False)
    cut = predict(segmenter, fitting_frames, tmp_path / "cut", outputs=["indices"], window=(16, 24), progress=False)
    for path in fitting_frames:
        np.testing.assert_array_equal(indices(slid, path), indices(whole, path))
        assert (indices(cut, path) == indices(whole, path)).mean() > 0.8  # but for the windows' sides


def test_the_cost_of_views_is_measured(segmenter: Segmenter, fitting_frames: list[Path], tmp_path: Path) -> None:
    one = predict(segmenter, fitting_frames, tmp_path / "one", tta=True, outputs=["indices"], progress=False)
    assert one.views == 2
    assert np.isnan(one.views_cost)  # one batch: measuring would take longer than the work
    two = predict(
        segmenter, fitting_frames, tmp_path / "two", tta=True, outputs=["indices"], batch_size=2, progress=False
    )
    assert two.views_cost > 0
    for path in fitting_frames:
        np.testing.assert_array_equal(indices(one, path), indices(two, path))


def test_comparisons_find_their_truth(segmenter: Segmenter, frames: list[Path], tmp_path: Path) -> None:
    shutil.copy(frames[0], tmp_path / "lonely.png")
    options = {"outputs": ["comparisons"], "progress": False}
    result = predict(segmenter, [*frames[:2], tmp_path / "lonely.png"], tmp_path / "out", **options)
    assert sorted(p.stem for p in (tmp_path / "out" / "comparisons").iterdir()) == [p.stem for p in frames[:2]]
    assert result.notes == ("1 frame has no truth, and no comparison was drawn of it",)
    with pytest.raises(UserError, match="no truth for any of the frames"):
        predict(segmenter, tmp_path / "lonely.png", tmp_path / "none", **options)
    assert not (tmp_path / "none").exists()
    (tmp_path / "truth").mkdir()
    shutil.copy(frames[0].parent.parent / "Segmentation" / frames[0].name, tmp_path / "truth" / "lonely.png")
    result = predict(segmenter, tmp_path / "lonely.png", tmp_path / "some", masks=tmp_path / "truth", **options)
    assert result.notes == ()
    assert (tmp_path / "some" / "comparisons" / "lonely.png").is_file()


@pytest.mark.parametrize("window", [None, (16, 32)])
def test_frames_unlike_the_training_are_named(window: tuple[int, int] | None, tmp_path: Path) -> None:
    model, random = build(), np.random.default_rng(0)
    seen = random.integers(0, 60, (30, *SIZE, 3), dtype=np.uint8)
    features = ops.convert_to_numpy(model(seen, training=False)).mean((1, 2))  # it has no backbone: of the logits
    model.familiarity = Familiarity(distances=np.float32([1.0, 1.2]), **principal_components(features))
    (tmp_path / "frames").mkdir()
    for name, level in (("dark", 60), ("bright", 256)):
        image = random.integers(level - 60, level, (*SIZE, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "frames" / f"{name}.png"), image)
    options = {"outputs": ["indices"], "window": window, "progress": False}
    result = predict(model, tmp_path / "frames", tmp_path / "out", **options)
    assert result.frames == ("bright", "dark")
    assert result.unfamiliar == ("bright",)


def test_a_bad_file_is_reported_and_skipped(segmenter: Segmenter, frames: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(frames[0].read_bytes()[:200])
    sources = [frames[0], tmp_path / "broken.png", frames[1]]
    result = predict(segmenter, sources, tmp_path / "out", progress=False)
    assert [p.stem for p in result.masks] == [frames[0].stem, frames[1].stem]
    assert [p for p, _ in result.failures] == [tmp_path / "broken.png"]
    assert "broken.png" in result.failures[0][1]
    assert sorted(p.stem for p in (tmp_path / "out" / "masks").iterdir()) == sorted([frames[0].stem, frames[1].stem])


def test_an_answer_that_is_no_number_is_not_written(fitting_frames: list[Path], tmp_path: Path) -> None:
    for path in fitting_frames:
        cv2.imwrite(str(path), np.full((*SIZE, 3), 200, np.uint8))
    cv2.imwrite(str(fitting_frames[1]), np.zeros((*SIZE, 3), np.uint8))
    result = predict(build(dark_is_nan=True), fitting_frames, tmp_path / "out", progress=False)
    assert result.frames == (fitting_frames[0].stem, fitting_frames[2].stem)
    assert [p for p, _ in result.failures] == [fitting_frames[1]]
    assert "an answer that is no number" in result.failures[0][1]
    assert not list((tmp_path / "out").rglob(f"{fitting_frames[1].stem}*"))


def test_a_video_beside_frames(segmenter: Segmenter, fitting_frames: list[Path], tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "drive.avi", 12.5, SIZE) as writer:
        for path in fitting_frames:
            writer.write(cv2.imread(str(path))[..., ::-1])
    (tmp_path / "cut.mp4").write_bytes(b"no video")
    sources = [fitting_frames[0], tmp_path / "cut.mp4", tmp_path / "drive.avi"]
    result = predict(segmenter, sources, tmp_path / "out", progress=False)
    assert result.frames == (fitting_frames[0].stem,)
    assert [(video.path.name, video.frames, video.fps) for video in result.videos] == [("drive.mp4", 3, 12.5)]
    assert result.videos[0].path.is_file()
    assert [path.name for path, _ in result.failures] == ["cut.mp4"]
    assert not result.is_whole
    model = build()
    model.familiarity = Familiarity(class_shares=np.full(10, 0.1))
    with pytest.raises(UserError, match="estimated from images, and there are none"):
        predict(model, tmp_path / "drive.avi", tmp_path / "none", priors="estimated", progress=False)


def test_nothing_is_buried(segmenter: Segmenter, frames: list[Path], tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    shutil.copy(frames[0], tmp_path / "b")
    with pytest.raises(UserError, match=rf"would both be written as {frames[0].stem};"):
        predict(segmenter, [frames[0], tmp_path / "b"], tmp_path / "out", progress=False)
    predict(segmenter, frames[0], tmp_path / "out", progress=False)
    with pytest.raises(UserError, match="not empty; choose another --out"):
        predict(segmenter, frames[1], tmp_path / "out", progress=False)
    predict(segmenter, frames[1], tmp_path / "out", overwrite=True, progress=False)
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 2


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"outputs": ["overlay"]}, "did you mean 'overlays'"),
        ({"suppress": ["Rock"]}, "did you mean 'Rocks'"),
        ({"priors": "guessed"}, "priors are 'guessed'"),
        ({"confidence": 60}, "the confidence is 60"),
        ({"window": (8, 8), "overlap": 1.0}, "the overlap is 1"),
    ],
)
def test_wrong_wishes_cost_nothing(
    wish: dict, message: str, segmenter: Segmenter, frames: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        predict(segmenter, frames, tmp_path / "out", progress=False, **wish)
    assert not (tmp_path / "out").exists()
