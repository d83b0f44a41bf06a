from __future__ import annotations

import subprocess
import sys

import pytest

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
