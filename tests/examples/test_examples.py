"""Every example runs, small, and stays short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path for path in FOLDER.glob("*.py") if path.stem != "onnx_camera")  # it has a test in tests/export


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_example(example: Path, tmp_path: Path) -> None:
    assert len(example.read_text().splitlines()) < 70
    options = ["--out", str(tmp_path), "--size", "32x64", "--epochs", "1"]
    command = [sys.executable, "-W", "error::UserWarning", str(example), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mIoU" in done.stdout
