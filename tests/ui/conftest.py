"""What the page's tests share: models of one convolution, and a data folder of small frames."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from desertseg.engine import evaluate
from desertseg.engine.checkpoint import save_segmenter
from desertseg.labels import load_labels
from desertseg.models import Segmenter
from desertseg.ui.given import Given
from desertseg.ui.shelf import Opened, Shelf

SIZE = (24, 40)
IDS = load_labels("falcon").ids


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that load and compile in no time: good.keras, other.keras, nan.keras, sizeless.keras."""
    folder = tmp_path_factory.mktemp("page-models")
    random = np.random.default_rng(0)
    kernel = random.normal(size=(1, 1, 3, 10)).astype(np.float32)
    for name, weights, size in (
        ("good", kernel, (16, 32)),
        ("other", random.normal(size=(1, 1, 3, 10)).astype(np.float32), (16, 32)),
        ("nan", np.where(kernel == kernel.max(), np.nan, kernel), (16, 32)),
        ("sizeless", kernel, None),
    ):
        images = keras.Input((None, None, 3))
        layer = keras.layers.Conv2D(10, 1)
        network = keras.Model(images, layer(images))
        layer.set_weights([weights, np.zeros(10)])
        save_segmenter(Segmenter(network, "falcon", size), folder / f"{name}.keras")
    return folder


@pytest.fixture(scope="session")
def shelf(models: Path) -> Shelf:
    return Shelf([models / f"{name}.keras" for name in ("good", "other", "nan", "sizeless")])


@pytest.fixture(scope="session")
def good(shelf: Shelf, models: Path) -> Opened:
    return shelf.open(str(models / "good.keras"))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four frames of 24x40 in two scenes, with 16-bit masks; only a0 and b1 show Logs, b1 more of them."""
    root, random = tmp_path_factory.mktemp("page-data") / "desert", np.random.default_rng(1)
    images, masks = root / "val" / "Color_Images", root / "val" / "Segmentation"
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for number, name in enumerate(("a0", "a1", "b0", "b1")):
        cv2.imwrite(str(images / f"{name}.png"), random.integers(0, 256, (*SIZE, 3), np.uint8))
        mask = np.array([100, 200, 300, 10000], np.uint16)[random.integers(0, 4, SIZE)]
        if number in (0, 3):
            mask[0, : 1 + number] = 700
        cv2.imwrite(str(masks / f"{name}.png"), mask)
    return root


@pytest.fixture
def given(data: Path) -> Given:
    """A frame with its truth."""
    image = data / "val" / "Color_Images" / "a0.png"
    return Given(image, "a0.png", data / "val" / "Segmentation" / "a0.png", "a0_mask.png")


# The server as a user starts it, but that each name it looks up and each address it calls is written down.
WATCHED = """
import os, socket, sys
local = ("127.", "::1", "localhost", "0.0.0.0")
def watch(name, host_of):
    original = getattr(*name)
    def call(*arguments, **options):
        host = host_of(*arguments)
        if isinstance(host, str) and host and not host.startswith(local):
            with open(os.environ["CALLED"], "a") as file:
                print(host, file=file)
        return original(*arguments, **options)
    setattr(*name, call)
watch((socket, "getaddrinfo"), lambda host, *rest, **more: host)
watch((socket.socket, "connect"), lambda self, address: address[0] if isinstance(address, tuple) else None)
from desertseg.cli.main import main
sys.argv[0] = "desertseg"
main()
"""


@dataclass
class Served:
    """A page that is served: where, its process, what it printed, and the hosts beyond this machine that it called."""

    address: str
    process: subprocess.Popen[str]
    log: Path
    called: Path
    folder: Path


def start(folder: Path, *arguments: object) -> Served:
    """Start `desertseg ui`, and wait until it answers."""
    log, called = folder / "log.txt", folder / "called.txt"
    called.touch()
    words = [sys.executable, "-c", WATCHED, "ui", "--cases", str(folder / "cases"), *map(str, arguments)]
    with log.open("w") as file:
        process = subprocess.Popen(
            words,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "CALLED": str(called), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        )
    for _ in range(600):
        found = re.search(r"desertseg is at (http://\S+)", log.read_text())
        if found:
            return Served(found[1].rstrip("/"), process, log, called, folder)
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    raise AssertionError(log.read_text())


def stop(served: Served) -> str:
    """End a server as Ctrl-C does, and return what it printed."""
    served.process.send_signal(signal.SIGINT)
    served.process.wait(30)
    return served.log.read_text()


@pytest.fixture(scope="session")
def server(models: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page with an evaluated model, another one, a file that is none and one that is missing, and a data folder."""
    pytest.importorskip("gradio", reason="`make test-ui` installs the extra ui")
    folder = tmp_path_factory.mktemp("served")
    run = folder / "run" / "best.keras"
    run.parent.mkdir()
    shutil.copy(models / "good.keras", run)
    evaluate(run, data, split="val", boundaries=False, progress=False)
    (folder / "text.keras").write_text("no model")
    offered = [run, models / "other.keras", folder / "text.keras", folder / "missing.keras"]
    served = start(
        folder, *(word for model in offered for word in ("--model", model)), "--data", data, "--max-upload", 2
    )
    yield served
    told = stop(served)  # Gradio prints what it refused; nothing else may have gone wrong
    assert told.count("Traceback") == told.count("gradio.exceptions.InvalidPathError: ")
    assert served.process.returncode == 0
    assert served.called.read_text() == ""
    assert not list(folder.glob("desertseg-ui-*"))


@pytest.fixture(scope="session")
def start_server() -> Callable[..., Served]:
    """What starts another page: `start_server(folder, *arguments)`."""
    pytest.importorskip("gradio", reason="`make test-ui` installs the extra ui")
    return start
