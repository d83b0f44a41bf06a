from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group

from desertseg.labels import load_labels


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["check", *(str(a) for a in arguments)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """8 training frames of one drive and 5 validation frames of another: soft patches and all of Falcon's ids."""
    random, ids = np.random.default_rng(0), load_labels("falcon").ids
    for split, count, scene in (("train", 8, "cc"), ("val", 5, "w")):
        for kind in ("Color_Images", "Segmentation"):
            (tmp_path / "data" / split / kind).mkdir(parents=True)
        for i in range(count):
            patches = random.integers(0, 256, (9, 10, 3), np.uint8)
            image = cv2.resize(patches, (80, 48), interpolation=cv2.INTER_LINEAR)
            mask = np.resize(random.permutation(ids), (48, 80)).astype(np.uint16)
            cv2.imwrite(str(tmp_path / "data" / split / "Color_Images" / f"{scene}{i:03}.png"), image)
            cv2.imwrite(str(tmp_path / "data" / split / "Segmentation" / f"{scene}{i:03}.png"), mask)
    return tmp_path / "data"


@pytest.fixture
def broken(data: Path) -> Path:
    """The data with an unreadable image, and two masks read as 8 bit."""
    image = min((data / "train/Color_Images").iterdir())
    image.write_bytes(image.read_bytes()[:-30])
    for path in sorted((data / "val/Segmentation").iterdir())[:2]:
        cv2.imwrite(str(path), (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) >> 8).astype("uint8"))
    return data


def test_what_is_wrong_and_how_to_mend_it(broken: Path, tmp_path: Path) -> None:
    result = run(broken, "--json", tmp_path / "c.json", "--html", tmp_path / "c.html", "--fix", tmp_path / "mended")
    assert result.exit_code == 2, result.output
    assert result.output.startswith(
        "label map: falcon, as the folder is laid out like falcon\n13 frames (train 8, val 5)"
    )
    assert "error    1 image cannot be read" in result.output
    assert "(the high byte kept)" in result.output
    assert "12 of 13 frames" in result.output
    assert "Not mended, as it needs you: 8-bit" in result.output
    assert result.output.endswith(f"Next: desertseg check {tmp_path / 'mended'}\n")
    values = json.loads((tmp_path / "c.json").read_text())
    assert values["exit_code"] == 2
    assert {"8-bit", "unreadable-image"} <= {f["code"] for f in values["findings"]}
    assert all(f["fix"] and f["message"] for f in values["findings"])
    assert "<h1>Check of data</h1>" in (tmp_path / "c.html").read_text()
    again = run(tmp_path / "mended")
    assert "cannot be read" not in again.output


def test_the_exit_code_tells_warnings_from_clean(data: Path) -> None:
    result = run(data)
    assert result.exit_code == 0, result.output
    assert "\nClean.\n" in result.output
    assert f"Next: desertseg fit --data {data}" in result.output
    shutil.rmtree(data / "val/Segmentation")
    result = run(data)
    assert result.exit_code == 1, result.output
    assert "warning  split val has 5 images and no masks" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("nowhere",), "nowhere does not exist"), ((".", "--labels", "moon"), "no label map 'moon'")],
)
def test_what_cannot_be_checked_is_one_line(arguments: tuple, message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["check", *arguments])
    assert result.exit_code == 2
    assert message in result.output


def test_it_needs_no_keras(data: Path) -> None:
    program = (
        "import sys; from click.testing import CliRunner; from desertseg.cli.main import group; "
        f"r = CliRunner().invoke(group, ['check', {str(data)!r}]); assert r.exit_code == 0, r.output; "
        "assert not {'keras', 'jax', 'tensorflow', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
