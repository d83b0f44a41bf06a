"""What travels with a model about its training frames: the numbers, and the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from desertseg.backend import without_tensorflow
from desertseg.labels import load_labels
from desertseg.models import Segmenter
from desertseg.models.familiarity import Familiarity, principal_components

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(60, 12)) * np.linspace(0.2, 3, 12) + 5


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    inputs = keras.Input((None, None, 3))
    return Segmenter(keras.Model(inputs, keras.layers.Conv2D(10, 1)(inputs)), load_labels("falcon"))


def save(segmenter: Segmenter, path: Path) -> None:
    with without_tensorflow():  # which Keras would import on JAX, for five seconds
        segmenter.save(path)


def known() -> Familiarity:
    return Familiarity(
        class_shares=np.arange(10) / 45,
        **principal_components(FEATURES),
        distances=np.array([0.8, 1.0, 1.1], np.float32),
        appearance=np.ones((4, 2), np.float32),
        appearance_names=("red", "gradient"),
        confidence=0.9,
        temperature=1.25,
    )


def assert_equal(one: Familiarity, other: Familiarity) -> None:
    for name, value in vars(one).items():
        np.testing.assert_array_equal(getattr(other, name), value, err_msg=name)
        assert type(getattr(other, name)) is type(value), name


def test_the_model_file_carries_it(segmenter: Segmenter, tmp_path: Path) -> None:
    segmenter.familiarity = known()
    save(segmenter, tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert_equal(segmenter.familiarity, loaded.familiarity)
    save(loaded, tmp_path / "again.keras")
    assert_equal(segmenter.familiarity, keras.saving.load_model(tmp_path / "again.keras").familiarity)


def test_a_file_from_before_there_was_any_loads(segmenter: Segmenter, tmp_path: Path) -> None:
    segmenter.familiarity = None
    save(segmenter, tmp_path / "old.keras")
    assert not [name for name in zipfile.ZipFile(tmp_path / "old.keras").namelist() if "assets" in name]
    assert keras.saving.load_model(tmp_path / "old.keras").familiarity is None


def test_a_part_that_is_not_known_stays_unknown(tmp_path: Path) -> None:
    Familiarity(class_shares=np.ones(3) / 3).save(tmp_path / "f.npz")
    found = Familiarity.load(tmp_path / "f.npz")
    assert found is not None
    assert found.class_shares == pytest.approx(1 / 3)
    assert found.temperature is found.mean is found.distances is None
    assert not found.knows_features
    assert found.threshold == np.inf
    assert not found.unfamiliar([1e9]).any()
    with pytest.raises(ValueError, match="has no features"):
        found.distance(FEATURES)


def test_damage_costs_the_statistics_and_not_the_model(tmp_path: Path) -> None:
    known().save(tmp_path / "f.npz")
    content = (tmp_path / "f.npz").read_bytes()
    half = len(content) // 2
    for broken in (b"", b"no file", content[:200], content[:half], content[:half] + b"damage" + content[half + 6 :]):
        (tmp_path / "f.npz").write_bytes(broken)
        assert Familiarity.load(tmp_path / "f.npz") is None


def test_with_every_axis_it_is_the_mahalanobis_distance() -> None:
    """Held against the inverse of the covariance that the axes, variances and residual describe."""
    found = Familiarity(**principal_components(FEATURES))
    assert found.axes is not None
    assert found.variances is not None
    axes = found.axes.astype(np.float64)
    covariance = axes.T @ np.diag(found.variances - found.residual) @ axes + found.residual * np.eye(12)
    other = RNG.normal(size=(5, 12)) * 4
    deviation = other - FEATURES.mean(axis=0)
    squared = np.einsum("bi,ij,bj->b", deviation, np.linalg.inv(covariance), deviation)
    np.testing.assert_allclose(found.distance(other), np.sqrt(squared / 12), rtol=1e-5)
    np.testing.assert_allclose(covariance, np.cov(FEATURES.T), atol=0.15)  # 11 of 12 axes are kept


def test_training_frames_lie_at_about_one_and_others_further() -> None:
    found = Familiarity(**principal_components(FEATURES))
    assert np.sqrt(np.mean(found.distance(FEATURES) ** 2)) == pytest.approx(1, abs=0.05)
    assert found.distance(FEATURES[:5] + 20).min() > 5


@pytest.mark.parametrize("count", [2, 3, 9])
def test_few_frames_and_dead_features_leave_it_finite(count: int) -> None:
    features = np.zeros((count, 6))
    features[:, 0] = np.arange(count)
    found = Familiarity(**principal_components(features))
    assert np.isfinite(found.distance(features)).all()
    assert found.distance(np.ones((1, 6))).min() > 100  # what never moved has moved


def test_one_familiar_frame_in_a_hundred_is_called_unfamiliar() -> None:
    distances = np.sort(np.random.default_rng(1).lognormal(0, 0.2, 5000)).astype(np.float32)
    found = known()
    few = Familiarity(distances=distances[::100])
    many = Familiarity(distances=distances)
    assert many.unfamiliar(distances).mean() == pytest.approx(0.01, abs=0.004)
    assert many.threshold == pytest.approx(np.exp(0.2 * 2.326), rel=0.05)
    assert few.threshold >= few.distances.max()
    assert found.threshold > 1.1


def test_frames_that_cannot_be_described_are_refused() -> None:
    for features in (FEATURES[:1], np.full((4, 3), np.nan)):
        with pytest.raises(ValueError, match="finite features"):
            principal_components(features)
