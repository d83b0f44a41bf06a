"""Our own files: every array of a run's best.keras by name, and .weights.h5 files whole or not at all."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from desertseg.models import ModelError, build_segmenter
from desertseg.models.weights.keras_files import load_weights_h5, named_variables, own_assignments, read_keras
from desertseg.models.weights.strict import apply_plan, make_plan

TINY = {"width": 8, "blocks": (1, 1, 1, 1), "aspp_channels": 16, "decoder_channels": 16}


@pytest.fixture
def model():
    """A segmenter of ten classes, each weight another random number."""
    model = build_segmenter(**TINY)
    generator = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(generator.uniform(0.5, 1.5, variable.shape))
    return model


def values(model):
    return {name: np.array(variable) for name, variable in named_variables(model).items()}


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_names_tell_the_backbone_from_the_head(model):
    names = set(named_variables(model))
    assert {"backbone/stem_conv/kernel", "backbone/stage1_block1_1_norm/moving_mean", "classifier/bias"} <= names
    assert names == set(named_variables(model.network))
    assert {f"backbone/{name}" for name in named_variables(model.network.backbone)} < names


@pytest.mark.parametrize(("part", "count"), [("segmenter", 10), ("network", 10), ("backbone", None)])
def test_a_keras_file(part, count, model, tmp_path):
    saved = {"segmenter": model, "network": model.network, "backbone": model.network.backbone}[part]
    saved.save(tmp_path / "best.keras")
    weights = read_keras(tmp_path / "best.keras")
    assert weights.num_classes == count
    assert type(weights.network).__name__ == ("ResNet" if part == "backbone" else "DeepLabV3Plus")
    assert_same(weights.arrays, values(saved))


def test_it_starts_a_model_with_another_label_map(model, tmp_path):
    model.save(tmp_path / "best.keras")
    tensors, other = read_keras(tmp_path / "best.keras").arrays, build_segmenter(labels="falcon7", **TINY).network
    plan = make_plan(other, tensors, own_assignments(other, tensors), {})
    assert not plan.problems
    assert [a.tensors[0] for a, _ in plan.classifiers] == ["classifier/kernel", "classifier/bias"]
    apply_plan(plan, other)
    kept = {name: value for name, value in values(other).items() if not name.startswith("classifier/")}
    assert_same(kept, {name: value for name, value in tensors.items() if not name.startswith("classifier/")})


def test_another_architecture_does_not_fit(model, tmp_path):
    model.save(tmp_path / "best.keras")
    tensors = read_keras(tmp_path / "best.keras").arrays
    other = build_segmenter("deeplabv3", backbone="resnet18", width=8, blocks=(1, 1, 1, 1), aspp_channels=16).network
    plan = make_plan(other, tensors, own_assignments(other, tensors), {})
    assert set(plan.problems) == {"unexpected", "wrong shape"}


def test_half_precision_comes_back_as_float32(tmp_path):
    build_segmenter(dtype="bfloat16", **TINY).save(tmp_path / "best.keras")
    assert {a.dtype for a in read_keras(tmp_path / "best.keras").arrays.values()} == {np.dtype("float32")}


def test_what_is_no_keras_file(model, tmp_path):
    with pytest.raises(ModelError, match="do not exist"):
        read_keras(tmp_path / "best.keras")
    model.save(tmp_path / "best.keras")
    content = (tmp_path / "best.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"not a \.keras file, or is cut off"):
        read_keras(tmp_path / "cut.keras")
    middle = content.index(b"\x89HDF") + 3000
    (tmp_path / "hole.keras").write_bytes(content[:middle] + bytes(2000) + content[middle + 2000 :])
    with pytest.raises(ModelError, match="cannot be loaded") as error:
        read_keras(tmp_path / "hole.keras")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", ["segmenter", "network", "backbone"])
def test_weights_of_each_part(part, model, tmp_path):
    saved = {"segmenter": model, "network": model.network, "backbone": model.network.backbone}[part]
    saved.save_weights(tmp_path / "w.weights.h5")
    fresh = build_segmenter(**TINY)
    before = values(fresh)
    assert load_weights_h5(fresh, tmp_path / "w.weights.h5") == part
    loaded = {name: v for name, v in values(model).items() if part != "backbone" or name.startswith("backbone/")}
    assert_same(values(fresh), before | loaded)


def test_a_backbone_or_network_by_itself(model, tmp_path):
    fresh = build_segmenter(**TINY)
    model.network.save_weights(tmp_path / "n.weights.h5")
    model.network.backbone.save_weights(tmp_path / "b.weights.h5")
    assert load_weights_h5(fresh.network.backbone, tmp_path / "b.weights.h5") == "backbone"
    assert_same(values(fresh.network.backbone), values(model.network.backbone))
    assert load_weights_h5(fresh.network, tmp_path / "n.weights.h5") == "network"
    assert_same(values(fresh), values(model))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "falcon7"}, r"2 arrays of another shape: .*\(1, 1, 16, 10\) for \(1, 1, 16, 7\)"),
        ({"blocks": (2, 1, 1, 1)}, "arrays missing: "),
        ({"low_level_channels": 4}, "of another shape"),
        ({"width": 4}, "of another shape"),
    ],
)
def test_what_does_not_fit_changes_nothing(options, message, model, tmp_path):
    model.save_weights(tmp_path / "w.weights.h5")
    other = build_segmenter(**TINY | options)
    before = values(other)
    with pytest.raises(ModelError, match=f"nothing was loaded.*{message}") as error:
        load_weights_h5(other, tmp_path / "w.weights.h5")
    assert "\n" not in str(error.value)
    assert_same(values(other), before)


def test_a_failure_half_way_is_undone(model, tmp_path, monkeypatch):
    path = tmp_path / "w.weights.h5"
    model.network.save_weights(path)
    fresh = build_segmenter(**TINY).network
    before, variables = values(fresh), fresh.variables

    def fail(path):
        for variable in variables[:20]:
            variable.assign(np.zeros(variable.shape))
        raise OSError("can't read data")

    monkeypatch.setattr(fresh, "load_weights", fail)
    with pytest.raises(ModelError, match=r"can't read data\), and nothing was loaded"):
        load_weights_h5(fresh, path)
    assert_same(values(fresh), before)


def test_what_is_no_weights_file(model, tmp_path):
    path = tmp_path / "w.weights.h5"
    with pytest.raises(ModelError, match="do not exist"):
        load_weights_h5(model, path)
    path.write_bytes(b"x" * 100)
    with pytest.raises(ModelError, match="no HDF5 file"):
        load_weights_h5(model, path)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["conv1"]
    with pytest.raises(ModelError, match="Keras 2"):
        load_weights_h5(model, path)
