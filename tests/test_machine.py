from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from desertseg.machine import Cuda, count_cores, describe_machine, driver_version, explain_cuda

FITTING = {"jax-cuda13-plugin": "0.10.2", "jax-cuda13-pjrt": "0.10.2", "nvidia-cudnn-cu13": "9.1"}


def explain(driver: str | None = "580.65.06", packages: dict | None = None, **variables: str) -> list[str]:
    packages = FITTING if packages is None else packages
    return explain_cuda(Cuda(driver, ("NVIDIA H200",), driver is not None, packages, variables), "0.10.2")


def test_what_fits_needs_no_word() -> None:
    assert explain() == []
    assert explain(None, {}) == []
    assert explain(LD_LIBRARY_PATH="/opt/lib", CUDA_VISIBLE_DEVICES="0") == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (explain(None), "jax-cuda13-plugin is installed, but no NVIDIA driver is loaded, so JAX computes on the CPU"),
        (explain(packages={}), "without CUDA; pip install 'desertseg[cuda]'"),
        (explain("535.183.01"), "needs driver 580 or newer for CUDA 13, and 535.183.01 is loaded; update the driver, "
                                "or pip install 'jax[cuda12]'"),
        (explain("470.1"), "470.1 is loaded; update the driver"),
        (explain(packages=FITTING | {"jax-cuda13-plugin": "0.9.0"}), "0.9.0 is not of jaxlib 0.10.2, so JAX may refuse "
                                                                     "it; pip install 'jax[cuda13]==0.10.2'"),
        (explain(packages={"jax-cuda13-plugin": "0.10.2"}), "nvidia-cudnn-cu13 is not installed"),
        (
            explain(packages=FITTING | {"jax-cuda12-plugin": "0.10.2", "nvidia-cudnn-cu12": "9"}),
            "jax-cuda12-plugin and jax-cuda13-plugin are both installed",
        ),
        (explain(LD_LIBRARY_PATH="/usr/local/cuda-12/lib64"), "LD_LIBRARY_PATH names CUDA's libraries"),
        (explain(CUDA_VISIBLE_DEVICES=""), "CUDA_VISIBLE_DEVICES hides every GPU"),
        (explain(JAX_PLATFORMS="cpu"), "JAX_PLATFORMS=cpu keeps JAX on the CPU"),
        (explain_cuda(Cuda("580.1", packages=FITTING), "0.10.2"), "start it with --gpus all"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_once(lines: list[str], message: str) -> None:
    assert len(lines) == 1
    assert message in lines[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun\nGCC version: 12.3.0 (U)", "535.183.01"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs@x)", "580.65.06"),
        ("GCC version:  gcc version 12.3.0 (Ubuntu)", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_drivers_version(text: str, expected: str | None) -> None:
    assert driver_version(text) == expected


def test_the_machine_is_plain_and_nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/home/somebody/lib")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = describe_machine()
    text = json.dumps(found)
    assert "somebody" not in text
    assert str(Path.cwd()) not in text
    assert found["variables"]["OMP_NUM_THREADS"] == "3"
    assert found["libraries"]["keras"].startswith("3.")
    assert 1 <= found["cores"]["usable"] == count_cores() <= (os.cpu_count() or 1)
    assert found["memory"]["total"] > found["memory"]["available"] > 0
