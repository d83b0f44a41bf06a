"""What a training leaves behind in its model, and how other frames are measured by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest

from desertseg.data import Box, find_frames, letterbox, read_image
from desertseg.data.statistics import index_classes
from desertseg.engine import Recipe, fit, load_segmenter
from desertseg.engine.checkpoint import save_segmenter
from desertseg.engine.devices import Devices
from desertseg.engine.familiarity import Embedder, FamiliarityProbe, spread
from desertseg.engine.fit import walk
from desertseg.engine.plan import Plan
from desertseg.engine.remember import remember_frames, remember_run
from desertseg.engine.training import Run
from desertseg.errors import UserError
from desertseg.labels import load_labels
from desertseg.models import Segmenter
from desertseg.models.familiarity import Familiarity

SIZE = (24, 40)
LINEAR = {
    "data.size": [28, 28],
    "model.name": "linear",
    "model.open_blocks": "all",
    "model.options": {"width": 16, "depth": 1, "num_heads": 2},
    "train.batch_size": 12,
    "train.epochs": 1,
}


@pytest.fixture(scope="module")
def desert(tmp_path_factory: pytest.TempPathFactory, write_frames: Callable[..., None]) -> Path:
    folder = tmp_path_factory.mktemp("data") / "desert"
    write_frames(folder / "train", 24, 0)
    write_frames(folder / "val", 6, 1)
    write_frames(folder / "test", 5, 2, tint=(3, 1, 0))
    return folder


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    inputs = keras.Input((None, None, 3))
    low = keras.layers.Conv2D(6, 3, 4, padding="same", activation="relu")(inputs)
    deep = keras.layers.Conv2D(8, 3, 2, padding="same", activation="relu")(low)
    backbone = keras.Model(inputs, {"low": low, "deep": deep}, name="backbone")
    features = backbone(inputs)
    head = keras.layers.UpSampling2D(4)(keras.layers.Conv2D(10, 1)(features["low"]))
    network = keras.Model(inputs, head)
    network.backbone = backbone
    random = np.random.default_rng(3)
    for weight in network.weights:
        weight.assign(random.normal(0, 0.3, weight.shape))
    return Segmenter(network, load_labels("falcon"), SIZE)


@pytest.fixture(scope="module")
def known(segmenter: Segmenter, desert: Path) -> Familiarity:
    train, val = find_frames(desert, "train"), find_frames(desert, "val")
    segmenter.familiarity = Familiarity(class_shares=index_classes(train, segmenter.labels).shares)
    segmenter.familiarity = remember_frames(segmenter, train, val)
    return segmenter.familiarity


def boxed(folder: Path, split: str) -> tuple[np.ndarray, Box]:
    images = [letterbox(read_image(f.image), SIZE, "letterbox") for f in find_frames(folder, split)]
    return np.stack([image for image, _ in images]), images[0][1]


def test_the_embedding_is_the_mean_of_the_deepest_feature(segmenter: Segmenter) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    normal = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    deep = np.asarray(segmenter.network.backbone(normal.astype(np.float32))["deep"])
    embedder = Embedder(segmenter)
    np.testing.assert_allclose(embedder.features(images), deep.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)
    box = Box(8, 0, 8, 40)  # the middle of three rows of cells
    np.testing.assert_allclose(embedder.features(images, box), deep[:, 1:2].mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)
    thin = np.asarray(embedder.features(images, Box(10, 0, 1, 40)))
    np.testing.assert_allclose(thin, deep[:, 1:2].mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)


def test_a_network_without_a_backbone_is_embedded_by_its_logits() -> None:
    inputs = keras.Input((None, None, 3))
    plain = Segmenter(keras.Model(inputs, keras.layers.Conv2D(10, 1)(inputs)), load_labels("falcon"))
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    expected = np.asarray(plain(images)).mean(axis=(1, 2))
    np.testing.assert_allclose(Embedder(plain).features(images), expected, rtol=1e-4, atol=1e-5)


def test_what_is_remembered(known: Familiarity, desert: Path) -> None:
    assert known.frames == 24
    assert known.distances is not None
    assert len(known.distances) == 6
    assert known.appearance is not None
    assert known.appearance.shape == (24, len(known.appearance_names))
    masks = [cv2.imread(str(f.mask), cv2.IMREAD_UNCHANGED) for f in find_frames(desert, "train")]
    shares = [np.mean(np.stack(masks) == i) for i in load_labels("falcon").ids]
    np.testing.assert_allclose(known.class_shares, shares)
    assert 0 < known.confidence < 1


def test_other_frames_lie_outside_and_those_of_the_same_desert_inside(
    segmenter: Segmenter, known: Familiarity, desert: Path
) -> None:
    probe = FamiliarityProbe(segmenter)
    assert probe.threshold == known.threshold
    val, other = (np.asarray(probe.distances(*boxed(desert, split))) for split in ("val", "test"))
    np.testing.assert_allclose(np.sort(val), known.distances, rtol=1e-3)
    assert not known.unfamiliar(val).any()
    assert known.unfamiliar(other).all()


def test_the_device_measures_what_numpy_measures(segmenter: Segmenter, known: Familiarity, desert: Path) -> None:
    images, box = boxed(desert, "test")
    features = np.asarray(Embedder(segmenter).features(images, box))
    found = FamiliarityProbe(segmenter).distances(images, box)
    np.testing.assert_allclose(found, known.distance(features), rtol=1e-3)


def test_frames_of_another_size_are_looked_at_in_the_trained_one(segmenter: Segmenter, known: Familiarity) -> None:
    probe = FamiliarityProbe(segmenter)
    small = np.full((1, *SIZE, 3), 90, np.uint8)
    large = np.full((1, SIZE[0] * 2, SIZE[1] * 2, 3), 90, np.uint8)
    whole, doubled = Box(0, 0, *SIZE), Box(0, 0, SIZE[0] * 2, SIZE[1] * 2)
    np.testing.assert_allclose(probe.distances(large, doubled), probe.distances(small, whole), rtol=1e-3)


def test_a_model_that_remembers_nothing_is_told_apart(segmenter: Segmenter) -> None:
    empty = Segmenter(segmenter.network, segmenter.labels, SIZE)
    with pytest.raises(UserError, match="does not know what its training frames looked like"):
        FamiliarityProbe(empty)


def test_the_end_of_a_run_stores_it_with_the_best_model(segmenter: Segmenter, desert: Path, tmp_path: Path) -> None:
    best, told = tmp_path / "best.keras", []
    save_segmenter(Segmenter(segmenter.network, segmenter.labels, SIZE), best)
    plan = Plan(desert, Recipe(), segmenter.labels, find_frames(desert, "train"), find_frames(desert, "val"), 1)
    training = SimpleNamespace(
        plan=plan,
        devices=Devices(),
        folder=SimpleNamespace(path=tmp_path),
        say=told.append,
        progress=False,
        run=lambda state: Run(desert, tmp_path, best, 1, 0.5, "a mean"),
    )
    assert walk(training).best == best
    found = load_segmenter(best).familiarity
    assert found.frames == 24
    assert len(told) == 1
    assert f"beyond a distance of {found.threshold:.2f}" in told[0]


@pytest.mark.slow
def test_a_run_ends_with_a_model_that_knows_its_frames(desert: Path, tmp_path: Path) -> None:
    run = fit(desert, tmp_path / "run", Recipe().with_changes(LINEAR), progress=False)
    best, last = load_segmenter(run.best).familiarity, load_segmenter(tmp_path / "run" / "last.keras").familiarity
    assert best.knows_features
    assert best.frames == 24
    assert np.isfinite(best.threshold)
    assert not last.knows_features
    np.testing.assert_array_equal(best.class_shares, last.class_shares)
    assert best.class_shares.sum() == pytest.approx(1)
    assert "beyond a distance of" in (tmp_path / "run" / "log.txt").read_text()


def test_what_goes_wrong_costs_the_run_nothing(
    segmenter: Segmenter, desert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, val = find_frames(desert, "train"), find_frames(desert, "val")
    plan, told = Plan(desert, Recipe(), segmenter.labels, train, val, 1), []
    monkeypatch.setattr(segmenter, "familiarity", None)
    save_segmenter(segmenter, tmp_path / "best.keras")
    before = (tmp_path / "best.keras").read_bytes()
    for error in (ValueError("singular\nmatrix"), MemoryError(), OSError(28, "No space left on device")):

        def fail(*given: object, error: BaseException = error, **named: object) -> None:
            raise error

        monkeypatch.setattr("desertseg.engine.remember.remember_frames", fail)
        remember_run(plan, tmp_path / "best.keras", told.append, progress=False)
    assert (tmp_path / "best.keras").read_bytes() == before
    assert [line.rpartition(": ")[2] for line in told] == [
        "singular",
        "MemoryError",
        "[Errno 28] No space left on device",
    ]


def test_of_few_frames_only_the_classes_are_remembered(tiny_run: Path) -> None:
    found = load_segmenter(tiny_run / "best.keras").familiarity
    assert not found.knows_features
    assert found.class_shares.sum() == pytest.approx(1)


def test_frames_are_taken_evenly() -> None:
    assert spread(range(10), 20) == list(range(10))
    assert spread(range(101), 5) == [0, 25, 50, 75, 100]
