from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path

import pytest

from desertseg.memory import process_memory

PROGRAM = """
import resource
from desertseg.memory import keep_freed_memory
import numpy as np

assert keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(64 * 2**20 // 8).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
first, again = faults(), faults()
print(first, again)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="arranged through glibc")
def test_memory_is_used_again_without_asking_the_kernel() -> None:
    """64 MiB are 16,384 pages (or 32 large ones): all are new the first time, and none the second."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    first, again = map(int, done.stdout.split())
    assert again < first / 4


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="read from /proc")
def test_the_memory_of_the_process_grows_with_what_it_holds() -> None:
    before = process_memory()
    # Pages of its own: the process may have memory left from earlier tests, which a common allocation would take.
    with mmap.mmap(-1, 64 << 20) as held:
        held.write(b"1" * (64 << 20))
        assert 60 << 20 < process_memory() - before < 200 << 20


def test_without_proc_the_peak_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: Path) -> str:
        raise FileNotFoundError(path)

    now = process_memory()
    monkeypatch.setattr(Path, "read_text", absent)
    assert process_memory() >= 0.9 * now
