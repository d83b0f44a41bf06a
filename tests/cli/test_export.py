from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from desertseg.cli.main import group


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--format", "onx", "--out", "x.onnx"], "there is no format 'onx'"),
        (["--format", "onnx", "--out", "x.tflite"], "ends with .onnx; give x.onnx"),
        (["--format", "onnx", "--out", "x.onnx", "--dtype", "int8"], "int8 needs frames to calibrate on"),
        (["--format", "onnx", "--out", "x.onnx", "--size", "big"], "'big' is no size"),
        (["--format", "onnx", "--out", "x.onnx", "--batch", "0"], "'0' is no number of images"),
        (["--format", "onnx", "--out", "x.onnx", "--data", "nowhere"], "nowhere"),
        (["--format", "onnx", "--out", "there.onnx"], "there.onnx exists; choose another --out, or --overwrite"),
    ],
)
def test_bad_input_is_one_line(options: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.onnx").write_text("x")
    result = CliRunner().invoke(group, ["export", "--model", "desert-small", *options])
    assert result.exit_code == 2
    assert says in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["there.onnx"]


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        group, ["export", "--model", "none.keras", "--format", "onnx", "--out", str(tmp_path / "x.onnx")]
    )
    assert result.exit_code == 2
    assert "model none.keras does not exist" in result.output
