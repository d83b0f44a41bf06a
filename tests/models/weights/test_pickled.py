"""Checkpoints written by hand, without PyTorch: what is read, and what is refused without being run."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.models.errors import ModelError
from desertseg.models.weights.files import read_tensors
from desertseg.models.weights.pickled import unpickle

STORAGES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}


@pytest.fixture
def numbers():
    return np.arange(24, dtype=np.float32)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", STORAGES)
def test_every_dtype(by_hand, kind, legacy, tmp_path):
    values = np.arange(6).astype(STORAGES[kind])
    state = {"x": by_hand.tensor(kind, "0", 6, (2, 3), (3, 1))}
    if legacy:
        fields = by_hand.tensor(kind, "0", 6, (2, 3), (3, 1), view=None)
        path = by_hand.write_legacy(tmp_path / "w.pth", {"x": fields}, {"0": (6, values.tobytes())})
    else:
        path = by_hand.write_zip(tmp_path / "w.pth", state, {"0": values.tobytes()})
    found = read_tensors(path)["x"]
    assert found.dtype == (np.float32 if kind == "Half" else STORAGES[kind])
    np.testing.assert_array_equal(found, values.reshape(2, 3))


def test_bfloat16_becomes_float32(by_hand, tmp_path):
    raw = np.array([1.0, -2.5, 3e38], np.float32).view(np.uint16)[1::2].tobytes()  # the upper halves
    path = by_hand.write_zip(tmp_path / "w.pth", {"x": by_hand.tensor("BFloat16", "0", 3, (3,), (1,))}, {"0": raw})
    found = read_tensors(path)["x"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [1.0, -2.5, 3e38], rtol=2**-8)


def test_views_share_a_storage(by_hand, numbers, tmp_path):
    state = {
        "plain": by_hand.tensor("Float", "0", 24, (4, 6), (6, 1)),
        "transposed": by_hand.tensor("Float", "0", 24, (6, 4), (1, 6)),
        "part": by_hand.tensor("Float", "0", 24, (2, 2), (6, 1), offset=7),
        "expanded": by_hand.tensor("Float", "0", 24, (3, 2), (0, 1), offset=22),
        "scalar": by_hand.tensor("Float", "0", 24, (), (), offset=5),
        "empty": by_hand.tensor("Float", "0", 24, (0, 3), (3, 1)),
        "parameter": by_hand.Call(
            "torch._utils._rebuild_parameter", by_hand.tensor("Float", "0", 24, (24,), (1,)), True, {}
        ),
    }
    found = read_tensors(by_hand.write_zip(tmp_path / "w.pth", state, {"0": numbers.tobytes()}))
    grid = numbers.reshape(4, 6)
    expected = {
        "plain": grid,
        "transposed": grid.T,
        "part": grid[1:3, 1:3],
        "expanded": np.tile(grid[3, 4:], (3, 1)),
        "scalar": np.float32(5),
        "empty": np.zeros((0, 3), np.float32),
        "parameter": numbers,
    }
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].shape == value.shape
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "subprocess.Popen", "torch.load", "functools.partial"])
@pytest.mark.parametrize("legacy", [False, True])
def test_code_is_refused_by_name_and_not_run(by_hand, name, legacy, tmp_path):
    marker = tmp_path / "ran"
    value = {"x": by_hand.Call(name, f"touch {marker}")}
    path = tmp_path / "w.pth"
    by_hand.write_legacy(path, value, {}) if legacy else by_hand.write_zip(path, value, {})
    with pytest.raises(ModelError, match=rf"'{name}': loading it would run code.*state_dict") as error:
        read_tensors(path)
    assert "\n" not in str(error.value)
    assert not marker.exists()


class Runs:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_real_hostile_pickle_of_every_protocol(protocol, tmp_path):
    content = pickle.dumps({"x": Runs(tmp_path / "ran")}, protocol)
    pickle.loads(content)  # Python's own machine runs it
    (tmp_path / "ran").rmdir()
    with pytest.raises(ModelError, match=r"mkdir': loading it would run code|none that torch\.save wrote"):
        unpickle(io.BytesIO(content), "w.pth")
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"mkdir': loading it would run code|begins with"):
        read_tensors(tmp_path / "w.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_back_from_every_protocol(protocol):
    value = {"a": [1, -7, 2**70, 1.5, None, True, False], "b": ("x", "é\n", (), (1,), (1, 2), (1, 2, 3, 4)), 3: {}}
    assert unpickle(io.BytesIO(pickle.dumps(value, protocol)), "w").value == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_numpys_numbers_are_numbers(protocol):
    value = {"best": np.float64(0.745), "loss": np.float32(-0.5), "epoch": np.int64(7), "done": np.bool_(True)}
    found = unpickle(io.BytesIO(pickle.dumps(value, protocol)), "w").value
    assert found == {"best": 0.745, "loss": -0.5, "epoch": 7, "done": True}
    with pytest.raises(ModelError, match=r"(_reconstruct|_frombuffer)': loading it would run code"):
        unpickle(io.BytesIO(pickle.dumps(np.ones(3), protocol)), "w")


@pytest.mark.parametrize("name", ["torch.nn.modules.linear.Linear", "__main__.Net", "torchvision.models.resnet.ResNet"])
def test_a_whole_model_is_told_apart(by_hand, name, tmp_path):
    with pytest.raises(ModelError, match=rf"whole pickled model \('{name}'\).*torch\.save\(model\.state_dict\(\)"):
        read_tensors(by_hand.write_zip(tmp_path / "w.pth", by_hand.Call(name), {}))


def test_a_legacy_whole_model_is_told_apart(by_hand, tmp_path):
    value = by_hand.Stored("module", by_hand.Named("torch.Size"), "net.py", "class Net: ...")
    with pytest.raises(ModelError, match="whole pickled model"):
        read_tensors(by_hand.write_legacy(tmp_path / "w.pth", value, {}))


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "count"),
    [((25,), (1,), 0, 24), ((2,), (24,), 0, 24), ((4,), (1,), 21, 24), ((2**40,), (0,), 0, 24), ((4,), (1,), 0, 2**40)],
)
def test_a_tensor_beyond_its_storage(by_hand, shape, strides, offset, count, numbers, tmp_path):
    state = {"x": by_hand.tensor("Float", "0", count, shape, strides, offset)}
    with pytest.raises(ModelError, match="damaged or cut off"):
        read_tensors(by_hand.write_zip(tmp_path / "w.pth", state, {"0": numbers.tobytes()}))


@pytest.mark.parametrize(("shape", "strides"), [((-1,), (1,)), ((2,), (-1,)), ((2, 2), (1,)), ((1.5,), (1,))])
def test_an_impossible_shape(by_hand, shape, strides, numbers, tmp_path):
    state = {"x": by_hand.tensor("Float", "0", 24, shape, strides)}
    with pytest.raises(ModelError, match="pickle is damaged"):
        read_tensors(by_hand.write_zip(tmp_path / "w.pth", state, {"0": numbers.tobytes()}))


def test_bombs_and_foreign_archives(by_hand, numbers, tmp_path):
    state = {"x": by_hand.tensor("Float", "0", 24, (24,), (1,))}
    packed = by_hand.write_zip(tmp_path / "a.pth", state, {"0": bytes(96)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="compressed archive"):
        read_tensors(packed)
    with pytest.raises(ModelError, match="byte order 'big'"):
        read_tensors(by_hand.write_zip(tmp_path / "b.pth", state, {"0": bytes(96)}, order=b"big"))
    with pytest.raises(ModelError, match="byte order 'big'"):
        read_tensors(by_hand.write_legacy(tmp_path / "c.pth", {}, {}, little=False))
    with pytest.raises(ModelError, match="storage '0' is missing"):
        read_tensors(by_hand.write_zip(tmp_path / "d.pth", state, {"1": bytes(96)}))
    (tmp_path / "e.pth").write_bytes(by_hand.dump({"x": 1}))
    with pytest.raises(ModelError, match=r"none that torch\.save wrote"):
        read_tensors(tmp_path / "e.pth")
    for name, entry in (("TorchScript", "a/constants.pkl"), (".keras file", "model.weights.h5"), ("NumPy", "x.npy")):
        with zipfile.ZipFile(tmp_path / "f.pth", "w") as archive:
            archive.writestr(entry, b"")
        with pytest.raises(ModelError, match=name):
            read_tensors(tmp_path / "f.pth")


def test_references_to_references_cost_nothing(by_hand, tmp_path):
    value: object = [1]
    for _ in range(60):  # 2^60 places, were they all visited
        value = {"a": value, "b": value}
    state = {"state_dict": {"x": by_hand.tensor("Float", "0", 1, (1,), (1,))}, "args": value}
    assert read_tensors(by_hand.write_zip(tmp_path / "w.pth", state, {"0": bytes(4)}))["x"] == 0


def test_one_dict_named_very_often_is_searched_once(by_hand, tmp_path):
    inner = {f"i{n}": n for n in range(2000)}
    middle = {f"m{n}": inner for n in range(2000)}
    value = {f"o{n}": middle for n in range(2000)}  # 8e9 places, were they all visited
    with pytest.raises(ModelError, match="holds no dict of tensors"):
        read_tensors(by_hand.write_zip(tmp_path / "w.pth", value, {}))


def test_a_flipped_bit_is_noticed(by_hand, numbers, tmp_path):
    path = by_hand.write_zip(
        tmp_path / "w.pth", {"x": by_hand.tensor("Float", "0", 24, (24,), (1,))}, {"0": numbers.tobytes()}
    )
    content = bytearray(path.read_bytes())
    content[content.index(numbers.tobytes()) + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="checksum"):
        read_tensors(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_cut_anywhere_is_refused(by_hand, legacy, numbers, tmp_path):
    path = tmp_path / "w.pth"
    if legacy:
        by_hand.write_legacy(
            path, {"x": by_hand.tensor("Float", "0", 24, (24,), (1,), view=None)}, {"0": (24, numbers.tobytes())}
        )
    else:
        by_hand.write_zip(path, {"x": by_hand.tensor("Float", "0", 24, (24,), (1,))}, {"0": numbers.tobytes()})
    content = path.read_bytes()
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        with pytest.raises(ModelError):
            read_tensors(path)


def outcome(read: Callable[[], object]) -> str:
    """Return "read", "refused", or the message that is not one line; any other exception passes."""
    try:
        read()
    except ModelError as error:
        return str(error) if "\n" in str(error) else "refused"
    return "read"


def valid_files(by_hand: SimpleNamespace, folder: Path) -> list[bytes]:
    raw = np.arange(24, dtype=np.float32).tobytes()
    state = {
        "x": by_hand.tensor("Float", "0", 24, (4, 6), (6, 1)),
        "y": by_hand.Call("torch.Size", (1, 2)),
        "z": [1.5, "text", None],
    }
    legacy = {"x": by_hand.tensor("Float", "0", 24, (4, 6), (6, 1), view=None), "epoch": 3}
    files = (
        by_hand.write_zip(folder / "z.pth", state, {"0": raw}),
        by_hand.write_legacy(folder / "l.pth", legacy, {"0": (24, raw)}),
    )
    return [file.read_bytes() for file in files]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    which=st.integers(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.floats(0.2, 1),
)
def test_damage_gives_a_result_or_a_message(by_hand, which, changes, cut, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    content = bytearray(valid_files(by_hand, folder)[which])
    for place, value in changes:
        content[int(place * len(content))] = value
    path = folder / "mutated.pth"
    path.write_bytes(content[: int(cut * len(content))] if cut < 0.9 else content)
    assert outcome(lambda: read_tensors(path)) in ("read", "refused")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    protocol=st.sampled_from([0, 2, 4]),
)
def test_a_damaged_pickle_gives_a_value_or_a_message(changes, protocol):
    content = bytearray(pickle.dumps({"a": [1, 2.5, ("x", None)], "b": {"c": b"12"}, "d": 2**40}, protocol))
    for place, value in changes:
        content[int(place * len(content))] = value
    assert outcome(lambda: unpickle(io.BytesIO(content), "w")) in ("read", "refused")


def test_a_storage_is_read_once_and_independent_of_the_file(by_hand, numbers, tmp_path):
    state = {"x": by_hand.tensor("Float", "0", 24, (24,), (1,)), "y": by_hand.tensor("Float", "0", 24, (4, 6), (6, 1))}
    path = by_hand.write_zip(tmp_path / "w.pth", state, {"0": numbers.tobytes()})
    found = read_tensors(path)
    assert np.shares_memory(found["x"], found["y"])
    with open(path, "r+b") as file:
        file.write(bytes(path.stat().st_size))
    np.testing.assert_array_equal(found["x"], numbers)
