from __future__ import annotations

import json

import keras
import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group

from desertseg.engine import info as engine_info


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["info", *arguments])


def test_the_machine_and_the_backend_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("--no-test")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("desertseg ")
    assert all(f"\n  {name} " in result.output for name in ("processor", "memory", "backend", "devices", "libraries"))
    found = json.loads(run("--no-test", "--json").output)
    assert found["backend"]["backend"] == keras.backend.backend()
    assert found["backend"]["devices"]
    assert found["test"] is found["problem"] is None


def test_a_backend_that_does_not_work_is_what_a_report_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("Unable to initialize backend 'cuda': no driver\nand much more")

    monkeypatch.setattr(engine_info, "describe_backend", fail)
    result = run()
    assert result.exit_code == 1
    assert "  problem     RuntimeError: Unable to initialize backend 'cuda': no driver" in result.output
    assert "much more" not in result.output
    assert json.loads(run("--json").output)["libraries"]["numpy"]


def test_a_gpu_that_is_not_used_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = {"driver": "580.1", "gpus": ["NVIDIA H200, 143771 MiB"], "packages": {}}
    machine = json.loads(run("--no-test", "--json").output) | {"cuda": cuda, "notes": []}
    device = {"name": "cpu", "kind": "cpu", "memory": 3 << 30}
    monkeypatch.setattr("desertseg.machine.describe_machine", lambda: machine)
    monkeypatch.setattr(
        engine_info,
        "describe_backend",
        lambda: {"backend": "jax", "precision": "float32", "devices": [device], "no_gpu": "no such platform"},
    )
    output = run("--no-test").output
    assert "  careful     jax computes on the CPU: no such platform" in output
    assert "  devices     cpu (3.0 GiB)" in output
    assert "  CUDA        NVIDIA H200, 143771 MiB; driver 580.1; no CUDA packages of JAX" in output


def test_a_convolution_is_timed() -> None:
    found = engine_info.time_convolution(0.01)
    assert found["images_per_second"] > 0
    operations = 2 * 9 * 64 * 64 * 128 * 128  # a multiply and an add for each weight of each pixel of each channel
    assert found["gflops_per_second"] == pytest.approx(found["images_per_second"] * operations / 1e9)
