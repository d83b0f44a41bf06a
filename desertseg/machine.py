"""The machine as it is before any backend is loaded: system, processor, memory, libraries, and what CUDA there is."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from desertseg import __version__
from desertseg.memory import available_memory

LIBRARIES = (
    *("keras", "jax", "jaxlib", "tensorflow", "keras-hub", "grain", "numpy", "scipy", "opencv-python-headless"),
    *("pillow", "h5py", "safetensors", "matplotlib", "click"),
)
_OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
_CUDA_PACKAGES = (
    *("jax-cuda13-plugin", "jax-cuda13-pjrt", "jax-cuda12-plugin", "jax-cuda12-pjrt"),
    *("nvidia-cudnn-cu13", "nvidia-cudnn-cu12"),
)
_VARIABLES = (
    *("KERAS_BACKEND", "JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "XLA_FLAGS", "OMP_NUM_THREADS"),
    *("XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_PYTHON_CLIENT_MEM_FRACTION"),
)
_OLDEST_DRIVER = {13: 580, 12: 525}  # that each CUDA runs on (NVIDIA, CUDA compatibility)
_SMI = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")


@dataclass(frozen=True)
class Cuda:
    """What there is of NVIDIA's.

    Attributes:
        driver: its version, None where none is loaded.
        gpus: as the driver names them, with their memory.
        reachable: whether this process sees a device file of a GPU.
        packages: of pip, name -> version.
        variables: of the environment, those that decide where JAX computes.
    """

    driver: str | None = None
    gpus: tuple[str, ...] = ()
    reachable: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def describe_machine() -> dict[str, Any]:
    """Return plain JSON values, nothing of them with a path or a name of a person in it."""
    cuda = find_cuda()
    return {
        "desertseg": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": {"machine": os.cpu_count(), "usable": count_cores(), "limit": _cpu_limit()},
        "memory": {"total": _total_memory(), "available": available_memory(), "limit": _memory_limit()},
        "libraries": {name: _version(name) for name in LIBRARIES},
        "variables": {k: v for k, v in _variables().items() if k != "LD_LIBRARY_PATH"},
        "cuda": {"driver": cuda.driver, "gpus": list(cuda.gpus), "packages": dict(cuda.packages)},
        "notes": [*_explain_libraries(), *explain_cuda(cuda, _version("jaxlib"))],
    }


def find_cuda() -> Cuda:
    """Return what there is of NVIDIA's; it takes a moment, as its tool is asked."""
    packages = {name: found for name in _CUDA_PACKAGES if (found := _version(name))}
    if not sys.platform.startswith("linux"):
        return Cuda(packages=packages, variables=_variables())
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    reachable = any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()  # the latter in WSL
    gpus = _ask_driver() if text or reachable else ()
    return Cuda(driver_version(text), gpus, reachable, packages, _variables())


def driver_version(text: str) -> str | None:
    """Return the version that the kernel's /proc/driver/nvidia/version tells, None where there is none in it."""
    found = re.search(r"^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s", text, re.MULTILINE)
    return found.group(1) if found else None


def explain_cuda(cuda: Cuda, jaxlib: str | None) -> list[str]:
    """Return what does not fit together between driver, libraries and variables, a line each with what to do.

    Args:
        cuda: what there is.
        jaxlib: its version.
    """
    plugins = {int(name[8:10]): found for name, found in cuda.packages.items() if name.endswith("-plugin")}
    if cuda.driver is None and not cuda.reachable:
        without = f"jax-cuda{max(plugins)}-plugin is installed, but no NVIDIA driver is loaded" if plugins else ""
        return [f"{without}, so JAX computes on the CPU; install the driver, see nvidia-smi"] if without else []
    lines = []
    if not cuda.reachable:
        lines.append(
            "an NVIDIA driver is loaded, but no GPU can be reached; in a container start it with --gpus all (Docker), "
            "and see that /dev/nvidia0 exists"
        )
    if not plugins:
        lines.append("there is an NVIDIA GPU, but JAX was installed without CUDA; pip install 'desertseg[cuda]'")
    if len(plugins) > 1:
        names = " and ".join(f"jax-cuda{n}-plugin" for n in sorted(plugins))
        lines.append(f"{names} are both installed and get in each other's way; pip uninstall one of them")
    for cuda_version, found in plugins.items():
        lines += _explain_plugin(cuda, cuda_version, found, jaxlib)
    path = cuda.variables.get("LD_LIBRARY_PATH", "")
    if plugins and re.search(r"cuda|cudnn|nvidia", path, re.IGNORECASE):
        lines.append(
            "LD_LIBRARY_PATH names CUDA's libraries, which are then taken in place of those that pip installed; where "
            "a GPU is not found or a symbol is missing, unset it"
        )
    return lines + _explain_choices(cuda)


def _explain_plugin(cuda: Cuda, cuda_version: int, found: str, jaxlib: str | None) -> list[str]:
    name, lines = f"jax-cuda{cuda_version}-plugin", []
    if jaxlib and found.split("+")[0] != jaxlib.split("+")[0]:
        lines.append(
            f"{name} {found} is not of jaxlib {jaxlib}, so JAX may refuse it; pip install "
            f"'jax[cuda{cuda_version}]=={jaxlib.split('+')[0]}'"
        )
    needed = _OLDEST_DRIVER.get(cuda_version)
    have = int(cuda.driver.split(".")[0]) if cuda.driver else None
    if needed and have is not None and have < needed:
        older = max((n for n, oldest in _OLDEST_DRIVER.items() if oldest <= have), default=None)
        other = f", or pip install 'jax[cuda{older}]'" if older else ""
        lines.append(
            f"{name} needs driver {needed} or newer for CUDA {cuda_version}, and {cuda.driver} is loaded; update the "
            f"driver{other}"
        )
    if f"nvidia-cudnn-cu{cuda_version}" not in cuda.packages and "LD_LIBRARY_PATH" not in cuda.variables:
        lines.append(
            f"nvidia-cudnn-cu{cuda_version} is not installed, without which {name} finds no cuDNN; pip install "
            f"'jax[cuda{cuda_version}]'"
        )
    return lines


def _explain_choices(cuda: Cuda) -> list[str]:
    lines = []
    if cuda.variables.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        lines.append("CUDA_VISIBLE_DEVICES hides every GPU; unset it to compute on one")
    if cuda.variables.get("JAX_PLATFORMS", "").lower() == "cpu":
        lines.append("JAX_PLATFORMS=cpu keeps JAX on the CPU; unset it to compute on a GPU")
    return lines


def _explain_libraries() -> list[str]:
    found = [name for name in _OPENCV if _version(name)]
    if len(found) > 1:
        return [f"{' and '.join(found)} are both installed and overwrite each other; pip uninstall all but one"]
    return []


def count_cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ask_driver() -> tuple[str, ...]:
    try:
        done = subprocess.run(_SMI, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())


def _variables() -> dict[str, str]:
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(names, "") or platform.processor() or platform.machine()


def _total_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _memory_limit() -> int | None:
    """Return the bytes that a container allows, None without a limit."""
    text = _first_line("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    limit = int(text) if text.isdigit() else None
    total = _total_memory()
    return limit if limit is not None and (total is None or limit < total) else None


def _cpu_limit() -> float | None:
    """Return the cores that a container allows, None without a limit."""
    quota, _, period = _first_line("/sys/fs/cgroup/cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _first_line(*paths: str) -> str:
    for path in paths:
        try:
            return Path(path).read_text(encoding="ascii").split("\n")[0].strip()
        except (OSError, UnicodeDecodeError):
            continue
    return ""
