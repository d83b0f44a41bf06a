from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["benchmark", *(str(a) for a in arguments)])


def test_a_table_and_every_number_as_json(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desertseg.engine.stopwatch._SECONDS", 0.0)
    path = tmp_path / "speed.json"
    result = run("--model", tiny_run / "best.keras", "--batch", 1, "--repeats", 20, "--json", path)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == f"Wrote {path}"
    for word in ("DeepLabV3Plus on ResNet", "32x64, float32", "p95", "images/s", "20 calls, too few for a p99"):
        assert word in result.output
    found = json.loads(path.read_text())
    assert (found["size"], found["dtype"], found["latency"]["runs"]) == ([32, 64], "float32", 20)
    latency = found["latency"]
    assert 0 < latency["fastest"] <= latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["slowest"]
    assert 0 <= latency["outside"] < 1
    assert found["best"] == found["throughputs"][0]
    assert found["best"]["batch_size"] == 1
    assert found["load_seconds"] > 0
    assert found["compile_seconds"] > 0
    assert 0 < found["memory"]["loaded"] <= found["memory"]["batch_1"] <= found["memory"]["process"]
    assert found["environment"]["packages"]["keras"]


def test_a_model_that_is_none() -> None:
    result = run("--model", "desert-smal")
    assert result.exit_code == 2
    assert "(did you mean 'desert-small'?)" in result.output
    assert len(result.output.strip().splitlines()) == 1
