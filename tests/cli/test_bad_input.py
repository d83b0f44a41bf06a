"""Bad input through the real command line: one clear line for what cannot be done, and the rest is done.

Exit code 1 says that a part was done, 2 that nothing could be.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group

from desertseg.engine import evaluation_folder, strips
from desertseg.engine.checkpoint import save_segmenter
from desertseg.models import Segmenter

IMAGES, MASKS = "val/Color_Images", "val/Segmentation"
LIMIT = 4 << 30  # bytes for a frame of 12,000 x 9,000


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, [str(a) for a in arguments])


def lines_of(result: Result, start: str) -> list[str]:
    return [line for line in result.output.splitlines() if line.startswith(start)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models of one convolution that load and compile in no time.

    good.keras answers; nan.keras has a NaN among its weights; bright.keras overflows where a frame is bright.
    """
    folder = tmp_path_factory.mktemp("models")
    kernel = np.random.default_rng(0).normal(size=(1, 1, 3, 10)).astype(np.float32)
    for name, weights, activation in (
        ("good", kernel, None),
        ("nan", np.where(kernel == kernel.max(), np.nan, kernel), None),
        ("bright", np.full_like(kernel, 30), "exponential"),
    ):
        images = keras.Input((None, None, 3))
        layer = keras.layers.Conv2D(10, 1, activation=activation)
        network = keras.Model(images, layer(images))
        layer.set_weights([weights, np.zeros(10)])
        save_segmenter(Segmenter(network, "falcon", (16, 32)), folder / f"{name}.keras")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four frames of 24x40, dark and bright in turns, with masks."""
    random = np.random.default_rng(1)
    ids = np.array([100, 200, 300, 500, 10000], np.uint16)
    for kind in (IMAGES, MASKS):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for i in range(4):
        image = random.integers(0, 60, (24, 40, 3), np.uint8) + np.uint8(190 * (i % 2))
        cv2.imwrite(str(tmp_path / "data" / IMAGES / f"a{i}.png"), image)
        cv2.imwrite(str(tmp_path / "data" / MASKS / f"a{i}.png"), ids[random.integers(0, len(ids), (24, 40))])
    return tmp_path / "data"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave an evaluation's pictures and page out, which take seconds."""
    for name in ("draw_confusion", "draw_per_class", "draw_class_metrics", "draw_reliability", "write_report"):
        monkeypatch.setattr(evaluation_folder, name, lambda *arguments: None)
    monkeypatch.setattr(evaluation_folder, "_draw_worst", lambda *arguments: {})


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "--data", "d", "--out", "x"),
        ("predict", "a.png", "--out", "x"),
        ("benchmark",),
        ("gap", "--source", "d", "--target", "d", "--out", "x"),
    ],
)
def test_no_such_model(command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*command, "--model", "none.keras")
    assert result.exit_code == 2
    assert result.output.startswith("desertseg: model none.keras does not exist")
    assert len(lines_of(result, "desertseg: ")) == 1
    assert not any(tmp_path.iterdir())


def test_a_model_of_other_classes_than_the_data(models: Path, data: Path, tmp_path: Path) -> None:
    mask = data / MASKS / "a2.png"
    cv2.imwrite(str(mask), np.full((24, 40), 7, np.uint16))
    result = run("evaluate", "--model", models / "good.keras", "--data", data, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.output.startswith(
        f"desertseg: mask {mask} holds id 7 (960 pixels), which label map 'falcon' does not"
    )
    assert len(lines_of(result, "desertseg: ")) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("undrawn")
def test_predictions_with_missing_names(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / MASKS, tmp_path / "theirs")
    (tmp_path / "theirs" / "a1.png").unlink()
    options = ("evaluate", "--predictions", tmp_path / "theirs", "--data", data, "--out", tmp_path / "out")
    result = run(*options)
    assert result.exit_code == 1
    assert lines_of(result, "left out: ") == [f"left out: there is no mask of frame a1 in {tmp_path / 'theirs'}"]
    assert result.output.splitlines()[-1] == "1 of 4 frames could not be scored"
    assert lines_of(result, "mIoU  ")[0].split()[1] == "1.0000"  # of the other three
    for mask in (tmp_path / "theirs").iterdir():
        mask.unlink()
    result = run(*options, "--overwrite")
    assert result.exit_code == 2
    assert len(lines_of(result, "desertseg: ")) == 1


@pytest.mark.usefixtures("undrawn")
def test_an_image_of_one_pixel(models: Path, data: Path, tmp_path: Path) -> None:
    for kind, value in ((IMAGES, np.zeros((1, 1, 3), np.uint8)), (MASKS, np.full((1, 1), 100, np.uint16))):
        shutil.rmtree(data / kind)
        (data / kind).mkdir()
        cv2.imwrite(str(data / kind / "dot.png"), value)
    model = models / "good.keras"
    result = run("predict", "--model", model, data / IMAGES, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert cv2.imread(str(tmp_path / "out" / "masks" / "dot.png"), cv2.IMREAD_UNCHANGED).shape == (1, 1)
    result = run("evaluate", "--model", model, "--data", data, "--out", tmp_path / "scores")
    assert result.exit_code == 0, result.output
    assert "1 frame." in result.output


@pytest.mark.usefixtures("undrawn")
def test_half_a_folder_unreadable(models: Path, data: Path, tmp_path: Path) -> None:
    """One cut off, one that is none: both are named, and the others are there."""
    whole = (data / IMAGES / "a1.png").read_bytes()
    (data / IMAGES / "a1.png").write_bytes(whole[: len(whole) // 2])
    (data / IMAGES / "a3.png").write_bytes(b"no picture")
    model = models / "good.keras"
    result = run("predict", "--model", model, data / IMAGES, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert [f"a{i}.png" in line for i, line in zip((1, 3), lines_of(result, "skipped: "), strict=True)] == [True] * 2
    assert result.output.splitlines()[-1] == "2 of 4 files could not be labelled"
    assert sorted(path.name for path in (tmp_path / "out" / "masks").iterdir()) == ["a0.png", "a2.png"]
    result = run("evaluate", "--model", model, "--data", data, "--out", tmp_path / "scores")
    assert result.exit_code == 1
    assert len(lines_of(result, "left out: ")) == 2
    assert result.output.splitlines()[-1] == "2 of 4 frames could not be scored"


def test_huge_frames_are_answered_as_others(
    models: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By strips of 3 rows, where the limit lies below 24x40."""
    options = ("predict", "--model", models / "good.keras", data / IMAGES, "--outputs", "masks,confidence")
    assert run(*options, "--out", tmp_path / "whole").exit_code == 0
    monkeypatch.setattr(strips, "LARGE", 100)
    monkeypatch.setattr(strips, "STRIP_BYTES", 3 * 4 * 40 * 10)
    assert run(*options, "--out", tmp_path / "strips").exit_code == 0
    for kind in ("masks", "confidence"):
        for path in sorted((tmp_path / "whole" / kind).iterdir()):
            one, other = (
                cv2.imread(str(tmp_path / way / kind / path.name), cv2.IMREAD_UNCHANGED) for way in ("whole", "strips")
            )
            np.testing.assert_array_equal(one, other)


def fill_disk_after(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """Let so many files be renamed into place, by whatever thread, and then have no space left."""
    replace, space = os.replace, threading.Semaphore(files)

    def replace_some(*arguments: Any) -> None:
        if not space.acquire(blocking=False):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(*arguments)

    monkeypatch.setattr("os.replace", replace_some)


def test_a_prediction_on_a_full_disk(models: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_disk_after(monkeypatch, 5)
    result = run("predict", "--model", models / "good.keras", data / IMAGES, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert len(lines_of(result, "desertseg: ")) == 1
    assert "cannot be written: No space left on device; free space" in result.output
    left = {kind: sorted((tmp_path / "out" / kind).iterdir()) for kind in ("masks", "masks_color", "overlays")}
    for path in left["masks"]:  # a frame is there as all kinds or not at all
        assert [path.name in [p.name for p in paths] for paths in left.values()] == [True] * 3
        assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape == (24, 40)
    assert not list((tmp_path / "out").rglob(".*"))


@pytest.mark.usefixtures("undrawn")
def test_an_evaluation_on_a_full_disk(
    models: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_disk_after(monkeypatch, 0)
    result = run("evaluate", "--model", models / "good.keras", "--data", data, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert lines_of(result, "mIoU  ")  # an hour of scoring is not lost
    assert len(lines_of(result, "desertseg: ")) == 1
    assert f"{tmp_path / 'out'} cannot be written: No space left on device" in result.output
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["nan", "bright"])
@pytest.mark.usefixtures("undrawn")
def test_logits_that_are_no_numbers(name: str, models: Path, data: Path, tmp_path: Path) -> None:
    """Of every frame, or of the two bright ones: none of them becomes a mask or a score."""
    model, bad = models / f"{name}.keras", 4 if name == "nan" else 2
    result = run("predict", "--model", model, data / IMAGES, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert len(lines_of(result, "skipped: ")) == bad
    assert "no number" in lines_of(result, "skipped: ")[0]
    assert len(list((tmp_path / "out").rglob("masks/*"))) == 4 - bad
    result = run("evaluate", "--model", model, "--data", data, "--out", tmp_path / "scores")
    if name == "nan":
        assert result.exit_code == 2
        assert len(lines_of(result, "desertseg: ")) == 1
        assert "none of 4 frames could be scored" in result.output
    else:
        assert result.exit_code == 1
        assert len(lines_of(result, "left out: ")) == 2


@pytest.mark.slow
def test_an_image_of_a_hundred_megapixels(models: Path, data: Path, tmp_path: Path) -> None:
    """In a process of its own, whose peak of memory the kernel tells."""
    for kind, way in ((IMAGES, cv2.INTER_LINEAR), (MASKS, cv2.INTER_NEAREST)):
        small = cv2.imread(str(data / kind / "a0.png"), cv2.IMREAD_UNCHANGED)
        shutil.rmtree(data / kind)
        (data / kind).mkdir()
        cv2.imwrite(str(data / kind / "huge.png"), cv2.resize(small, (12_000, 9_000), interpolation=way))
    model = ("--model", models / "good.keras")
    for command in (
        ("predict", *model, data / IMAGES, "--out", tmp_path / "out"),
        ("evaluate", *model, "--data", data, "--out", tmp_path / "scores"),
    ):
        program = [sys.executable, "-c", "from desertseg.cli.main import main; main()", *map(str, command)]
        done = subprocess.run(program, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < LIMIT, command[0]
    mask = cv2.imread(str(tmp_path / "out" / "masks" / "huge.png"), cv2.IMREAD_UNCHANGED)
    assert (mask.shape, mask.dtype) == ((9_000, 12_000), np.uint16)
