from __future__ import annotations

import importlib
import json
import struct
import sys
from operator import attrgetter
from pathlib import Path

import keras
import pytest

from desertseg.engine.events import EventFile, _checksum
from desertseg.engine.loggers import open_loggers
from desertseg.errors import UserError

RECIPE = {"train": {"epochs": 3, "log": ["tensorboard"]}, "model": {"name": "auto"}}
ROW = {"epoch": 1, "loss": 0.5, "gap": None, "weights": "raw", "val_iou": {"Lush Bushes": 0.25, "Logs": None}}

FAKE_WANDB = """
calls = []
class errors:
    class Error(Exception): pass
class Run:
    id = "abc"
    def log(self, values, step): calls.append(("log", step, values))
    def finish(self): calls.append(("finish",))
def init(**given):
    calls.append(("init", given))
    return Run()
"""
FAKE_MLFLOW = """
calls = []
class exceptions:
    class MlflowException(Exception): pass
class info: run_id = "xyz"
class Run: info = info
def start_run(**given):
    calls.append(("start", given))
    return Run
def log_params(values): calls.append(("params", values))
def log_metrics(values, step): calls.append(("log", step, values))
def end_run(): calls.append(("end",))
"""


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, source in (("wandb", FAKE_WANDB), ("mlflow", FAKE_MLFLOW)):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("WANDB_PROJECT", "WANDB_NAME"):
        monkeypatch.delenv(name, raising=False)
    yield
    for name in ("wandb", "mlflow"):
        sys.modules.pop(name, None)


def read_events(folder: Path) -> list:
    """Return what TensorFlow itself reads in the event files of a folder; it refuses a wrong checksum."""
    import tensorflow as tf

    paths = sorted(map(str, folder.iterdir()))
    return [tf.compat.v1.Event.FromString(r.numpy()) for r in tf.data.TFRecordDataset(paths)]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="importing TensorFlow takes seconds")
def test_tensorflow_reads_the_event_files(tmp_path: Path) -> None:
    (logger,) = open_loggers(["tensorboard"], tmp_path, RECIPE)
    assert not (tmp_path / "tensorboard").exists()
    for epoch in (1, 300):
        logger.log(epoch, ROW | {"epoch": epoch, "loss": 0.5 / epoch})
    logger.close()
    (again,) = open_loggers(["tensorboard"], tmp_path, RECIPE, epochs=299)
    again.log(300, ROW)
    again.close()
    assert (logger.problem, again.problem) == (None, None)
    version, recipe, first, late, _, restart, last = read_events(tmp_path / "tensorboard")
    assert version.file_version == "brain.Event:2"
    assert 1.7e9 < version.wall_time < 1e10
    (text,) = recipe.summary.value
    assert text.metadata.plugin_data.plugin_name == "text"
    assert b"epochs = 3" in text.tensor.string_val[0]
    assert [d.size for d in text.tensor.tensor_shape.dim] == [1]
    assert {v.tag: v.simple_value for v in first.summary.value} == {"loss": 0.5, "val_iou/Lush Bushes": 0.25}
    assert (first.step, late.step) == (1, 300)
    assert (restart.step, restart.session_log.status) == (300, 1)  # START: hides what was told of epoch 300 before
    assert last.summary.value[0].simple_value == 0.5


def test_the_checksum_is_crc32c() -> None:
    """Test vectors of RFC 3720, B.4: 32 bytes of zeros, and of ascending values; then masked as TFRecords have it."""
    for data, crc in ((bytes(32), 0x8A9136AA), (bytes(range(32)), 0x46DD794E)):
        masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        assert _checksum(data) == struct.pack("<I", masked)


def test_two_event_files_of_one_second_are_two(tmp_path: Path) -> None:
    files = [EventFile(tmp_path) for _ in range(3)]
    for file in files:
        file.close()
    assert len(list(tmp_path.iterdir())) == 3


def test_weights_and_biases_is_told_and_goes_on(services: None, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (logger,) = open_loggers(["wandb"], folder, RECIPE)
    logger.log(1, ROW)
    logger.close()
    (again,) = open_loggers(["wandb"], folder, RECIPE, epochs=1)
    again.log(2, ROW)
    (new,) = open_loggers(["wandb"], folder, RECIPE)
    new.log(1, ROW)
    assert [x.problem for x in (logger, again, new)] == [None] * 3
    calls = sys.modules["wandb"].calls
    started = [given for kind, *rest in calls if kind == "init" for given in rest]
    assert [g["id"] for g in started] == [None, "abc", None]
    assert started[0] | {"id": 0} == {
        "project": "desertseg", "name": "run", "dir": str(folder), "config": RECIPE, "id": 0, "resume": "allow",
    }  # fmt: skip
    assert calls[1:3] == [("log", 1, {"epoch": 1.0, "loss": 0.5, "val_iou/Lush Bushes": 0.25}), ("finish",)]


def test_mlflow_is_told_and_goes_on(services: None, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for epochs in (0, 1):
        (logger,) = open_loggers(["mlflow"], folder, RECIPE, epochs=epochs)
        logger.log(epochs + 1, ROW | {"val_iou": {"Ground (dry)": 0.5}})
        logger.close()
        assert logger.problem is None
    calls = sys.modules["mlflow"].calls
    assert [c[1] for c in calls if c[0] == "start"] == [{"run_name": "run"}, {"run_id": "xyz"}]
    params = {"train.epochs": 3, "train.log": ["tensorboard"], "model.name": "auto"}
    assert [c[1] for c in calls if c[0] == "params"] == [params]
    assert next(c[2] for c in calls if c[0] == "log") == {"epoch": 1.0, "loss": 0.5, "val_iou/Ground _dry_": 0.5}
    assert [c[0] for c in calls].count("end") == 2
    assert json.loads((folder / "loggers.json").read_text()) == {"mlflow": "xyz"}


@pytest.mark.parametrize(
    ("name", "function", "kind"),
    [
        ("wandb", "init", RuntimeError),
        ("wandb", "init", "errors.Error"),
        ("mlflow", "start_run", "exceptions.MlflowException"),
        ("mlflow", "log_metrics", ConnectionError),
    ],
)
def test_a_service_that_fails_ends_no_training(
    services: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, function: str, kind: str | type
) -> None:
    module = importlib.import_module(name)
    error = attrgetter(kind)(module) if isinstance(kind, str) else kind

    def down(*args: object, **given: object) -> None:
        raise error("the server is\nout of reach")

    monkeypatch.setattr(module, function, down)
    (logger,) = open_loggers([name], tmp_path, RECIPE)
    logger.log(1, ROW)
    logger.log(2, ROW)
    logger.close()
    assert logger.problem == f"{name}: the server is out of reach; training goes on without it"


def test_a_fault_of_our_own_is_no_service_that_fails(
    services: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (logger,) = open_loggers(["wandb"], tmp_path, RECIPE)
    monkeypatch.setattr(logger, "_log", lambda epoch, values: values["none"])
    with pytest.raises(KeyError):
        logger.log(1, ROW)


def test_what_cannot_be_logged_to_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"'tensorbord' \(did you mean 'tensorboard'\?\)"):
        open_loggers(["tensorbord"], tmp_path, RECIPE)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="names 'wandb', which is not installed; `pip install wandb`"):
        open_loggers(["tensorboard", "wandb"], tmp_path, RECIPE)
    assert open_loggers([], tmp_path, RECIPE) == []
    assert list(tmp_path.iterdir()) == []
