"""The process's memory: how much it holds, and keeping what is freed for the next step."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

# The names and numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Let the process reuse the memory that it freed; return whether it could be arranged (glibc on Linux).

    XLA on a CPU allocates the working memory of a training step anew in every step (0.7 GB for DeepLabV3+ ResNet-18 at
    256x256, batch 4). glibc takes blocks of that size from the kernel and gives them back at once, so the kernel clears
    180,000 pages a step: a fifth of the step's time. The price is that the process keeps its peak of memory.

    Call it before the backend is imported: threads that already own an arena keep it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    results = [mallopt(_M_ARENA_MAX, 1), mallopt(_M_MMAP_MAX, 0), mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)]
    return all(results)


def process_memory() -> int | None:
    """Return the bytes of memory that the process holds now (Linux) or held at its peak (macOS); None elsewhere."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return peak_memory()


def peak_memory() -> int | None:
    """Return the bytes of memory that the process held at its peak; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def available_memory() -> int | None:
    """Return the bytes of memory that programs can still have; None where the system does not say (Linux does)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None
