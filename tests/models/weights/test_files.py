"""Checkpoints in files and folders: what is taken off, and what is said of a file that is none."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from desertseg.models.errors import ModelError
from desertseg.models.weights.files import read_tensors

ONE, TWO = np.ones((2, 3), np.float32), np.arange(4, dtype=np.int64)


def refusal(path, **options):
    """Return the message with which a path is refused, which is one line."""
    with pytest.raises(ModelError) as error:
        read_tensors(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_safetensors(tmp_path):
    save_file({"b.weight": ONE, "a.num_batches_tracked": TWO}, tmp_path / "w.safetensors")
    for path in (tmp_path / "w.safetensors", str(tmp_path / "w.safetensors")):
        found = read_tensors(path)
        assert set(found) == {"b.weight", "a.num_batches_tracked"}
        np.testing.assert_array_equal(found["b.weight"], ONE)
        assert found["a.num_batches_tracked"].dtype == np.int64


def write_raw(path, **tensors):
    """Write a safetensors file by hand: name -> (type, shape, bytes)."""
    header, body = {}, b""
    for name, (kind, shape, raw) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def test_half_precision_becomes_float32(tmp_path):
    half = np.array([1.5, -0.25], np.float16)
    upper = np.array([1.5, -0.25], np.float32).view(np.uint16)[1::2]
    path = write_raw(
        tmp_path / "w.safetensors", half=("F16", [2], half.tobytes()), brain=("BF16", [2], upper.tobytes())
    )
    for value in read_tensors(path).values():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, [1.5, -0.25])


@pytest.mark.parametrize("length", [0x80, 0x8080, 0x4B50])
def test_the_length_of_a_header_says_nothing_about_the_kind(length, tmp_path):
    """Such a file begins with a pickle's 0x80, or a zip's "PK"."""
    path = write_raw(tmp_path / "w.safetensors", x=("F32", [2], np.ones(2, np.float32).tobytes()))
    content = path.read_bytes()
    old = struct.unpack("<Q", content[:8])[0]
    header = content[8 : 8 + old].ljust(length)
    path.write_bytes(struct.pack("<Q", length) + header + content[8 + old :])
    np.testing.assert_array_equal(read_tensors(path)["x"], [1, 1])


def test_an_eight_bit_float_is_refused(tmp_path):
    path = write_raw(tmp_path / "w.safetensors", x=("F8_E4M3", [2], b"\0\0"))
    assert "save it as float32" in refusal(path)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.model."])
def test_shared_prefixes_come_off(prefix, tmp_path):
    save_file({f"{prefix}a": ONE, f"{prefix}model.b": ONE}, tmp_path / "w.safetensors")
    assert set(read_tensors(tmp_path / "w.safetensors")) == {"a", "model.b"}


def test_a_prefix_of_some_names_stays(tmp_path):
    save_file({"model.a": ONE, "b": ONE}, tmp_path / "w.safetensors")
    assert set(read_tensors(tmp_path / "w.safetensors")) == {"model.a", "b"}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3, "name": "x"},
        lambda state: {"model": {"state_dict": state}, "optimizer": {"state": {0: {"exp_avg": state["a"]}}}},
        lambda state: {"teacher": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {"model_state_dict": state, "class_weights": state["a"]},
        lambda state: {"anything": state, "nothing": None, "list": [1, 2]},
    ],
)
def test_containers_come_off(wrap, write_checkpoint):
    found = read_tensors(write_checkpoint(wrap))
    assert {name: value.tolist() for name, value in found.items()} == {"a": [0, 1, 2], "b": [3, 4]}


def test_several_models_in_one_file(write_checkpoint):
    path = write_checkpoint(lambda state: {"model": state, "model_ema": {"a": state["b"]}})
    assert "several models, under model, model_ema: choose one with read_tensors(path, key='model')" in refusal(path)
    assert read_tensors(path, key="model_ema")["a"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("value", "found"), [({"epoch": 3}, "a dict of 'epoch'"), ([1], "but list"), ({}, "an empty dict")]
)
def test_no_tensors(value, found, write_checkpoint):
    assert found in refusal(write_checkpoint(lambda state: value))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "git-lfs pointer"),
        (b"\n<!DOCTYPE html>\n<html>", "is a web page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "HDF5"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "no checkpoint: it begins with"),
        (b"\0" * 20, "no checkpoint"),
        (struct.pack("<Q", 2**60) + b'{"a"', "damaged or cut off"),
        (struct.pack("<Q", 4) + b"{x: ", "damaged or cut off"),
    ],
)
@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_what_is_no_checkpoint(content, message, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert message in refusal(tmp_path / name)


def test_a_cut_safetensors_file(tmp_path):
    save_file({"a": ONE}, tmp_path / "w.safetensors")
    content = (tmp_path / "w.safetensors").read_bytes()
    for end in range(0, len(content), 5):
        (tmp_path / "w.safetensors").write_bytes(content[:end])
        assert "w.safetensors" in refusal(tmp_path / "w.safetensors")


def test_a_missing_file_names_its_neighbours(tmp_path):
    save_file({"a": ONE}, tmp_path / "resnet50.safetensors")
    message = refusal(tmp_path / "resnet5O.safetensors")
    assert "did you mean 'resnet50.safetensors'?" in message
    assert "holds resnet50.safetensors" in message
    assert "nor does the folder" in refusal(tmp_path / "no" / "w.pth")


@pytest.mark.parametrize("name", ["model.safetensors", "anything.safetensors", "snapshots/0a1b/model.safetensors"])
def test_a_folder(name, tmp_path):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "config.json").write_text("{}")
    save_file({"a": ONE}, tmp_path / name)
    np.testing.assert_array_equal(read_tensors(tmp_path)["a"], ONE)


def test_safetensors_go_before_pickles(tmp_path):
    save_file({"a": ONE}, tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert set(read_tensors(tmp_path)) == {"a"}


def test_a_folder_with_none_or_several(tmp_path):
    assert "holds no checkpoint; expected model.safetensors" in refusal(tmp_path)
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).write_bytes(b"")
    assert "several checkpoints (a.pth, b.pth)" in refusal(tmp_path)


@pytest.fixture
def shards(tmp_path):
    """Write weights cut in two, and return the function that writes their index."""
    save_file({"model.a": ONE}, tmp_path / "model-00001-of-00002.safetensors")
    save_file({"model.b": TWO}, tmp_path / "model-00002-of-00002.safetensors")

    def write(**places):
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
        return tmp_path

    return write


def test_weights_cut_in_several_files(shards):
    folder = shards(**{f"model.{k}": f"model-0000{n}-of-00002.safetensors" for k, n in (("a", 1), ("b", 2))})
    assert {k: v.shape for k, v in read_tensors(folder).items()} == {"a": (2, 3), "b": (4,)}


def test_an_index_that_does_not_hold(shards, tmp_path):
    first = "model-00001-of-00002.safetensors"
    assert "model-3.safetensors, which is not beside it" in refusal(shards(**{"model.a": "model-3.safetensors"}))
    assert "'model.c', which none of its files holds" in refusal(shards(**{"model.c": first}))
    assert "outside its folder" in refusal(shards(**{"model.a": f"../{tmp_path.name}/{first}"}))
    (tmp_path / "model.safetensors.index.json").write_text("[]")
    assert "no 'weight_map'" in refusal(tmp_path)
