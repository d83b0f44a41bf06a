"""A run can die at any moment and goes on as if it had not: what it ends with is the same to the last bit.

The runs are processes of the command line. They are forked from one that has imported everything, and share JAX's cache
of programs, compiled in a hurry, so that a new start costs little.
"""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from desertseg.engine import load_segmenter
from desertseg.engine.history import TIMED
from desertseg.engine.state import State, StateStore

JAX = os.environ.get("KERAS_BACKEND", "jax") == "jax"
# The undisturbed run is made once. TensorFlow has no cache of programs: every start takes its time.
pytestmark = [pytest.mark.xdist_group("resume"), *([] if JAX else [pytest.mark.slow])]
EPOCHS, STEPS = 2, 20  # steps an epoch

# Everything that has a state: dropout, batch normalisation, averages, micro-batches, a stage, the moments of AdamW, and
# draws for every sample, some of them from its partner in the batch.
RECIPE = """
[data]
size = [28, 28]
balance = 0.5
[model]
name = "linear"
open_blocks = "all"
options = {width = 16, depth = 1, num_heads = 2, dropout = 0.25, normalize = true}
[optimizer]
ema_decay = 0.9
warmup_epochs = 0.5
[augment]
cutmix = 0.5
brightness = [0.7, 1.3]
[train]
epochs = 2
batch_size = 1
accumulate = 2
seed = 5
frozen_epochs = 1
save_steps = 1
keep = 2
"""

# Reads orders, one a line; forks a process of the command line for each, and tells how it ended.
SERVER = """
import json, os, resource, signal, sys, threading
import desertseg.engine
from desertseg.cli import fit, main
from desertseg.engine.program import Program
from desertseg.engine.state import StateStore

stores = []

def after_steps(number, act):
    # Call `act` when step `number` is asked for; from then on each waits for the state of the one before
    begin, step, calls = StateStore.__init__, Program.step, 0
    def made(store, *arguments, **options):
        stores.append(store)
        begin(store, *arguments, **options)
    def call(*arguments):
        nonlocal calls
        calls += 1
        for store in stores if calls >= number else ():
            store.wait()
        if calls == number:
            act()
        return step(*arguments)
    StateStore.__init__, Program.step = made, call

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def kill_at_replacement(number):
    # Die before the file `number` from now gets its name
    replace, calls = os.replace, 0
    def call(*arguments):
        nonlocal calls
        calls += 1
        if calls == number:
            kill()
        replace(*arguments)
    os.replace = call

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        log = os.open(order["log"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(log, stream)
        if "signal" in order:  # a suite that a shell started with & was born ignoring Ctrl-C
            signal.signal(signal.SIGINT, signal.default_int_handler)
            after_steps(order["steps"], lambda: os.kill(os.getpid(), order["signal"]))
        if "delay" in order:
            after_steps(order["steps"], threading.Timer(order["delay"], kill).start)
        if "replacement" in order:
            after_steps(order["steps"], lambda: kill_at_replacement(order["replacement"]))
        if "limit" in order:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
        sys.argv = ["desertseg", *order["arguments"]]
        main.main()
        os._exit(99)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Machine:
    """Runs the command line again and again, one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = os.environ | {
            "JAX_COMPILATION_CACHE_DIR": str(folder / "programs"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            "DESERTSEG_CACHE": str(folder / "cache"),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "PYTHONWARNINGS": "ignore",
            "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *arguments: object, **how: object) -> tuple[int, str]:
        """Run a command; return how it ended, minus the signal or the exit code, and what it printed."""
        log = self.folder / f"log-{time.monotonic_ns()}.txt"
        order = {"arguments": [str(a) for a in arguments], "log": str(log), **how}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the server died"
        return int(line), log.read_text()

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def desert(tiny_desert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny desert's eight training frames five times, and two to score."""
    folder = tmp_path_factory.mktemp("data") / "a desert"
    for path in sorted(tiny_desert.rglob("*.png")):
        target = folder / path.relative_to(tiny_desert).parent
        target.mkdir(parents=True, exist_ok=True)
        for copy in range(5) if "train" in path.parts else range(1):
            shutil.copy(path, target / f"{path.stem[:-1]}{copy}{path.stem[-1]}.png")
    for path in (folder / "val").glob("*/*[2-9].png"):
        path.unlink()
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


def begin(desert: Path, out: Path) -> list[object]:
    return ["fit", "--data", desert, "--recipe", desert / "recipe.toml", "--out", out]


@pytest.fixture(scope="module")
def whole(machine: Machine, desert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody disturbed."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    code, text = machine.run(*begin(desert, out))
    assert code == 0, text
    assert len(history(out)) == EPOCHS
    return out


@pytest.fixture(scope="module")
def interrupted(machine: Machine, desert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run that Ctrl-C stopped in its second epoch, and what it said."""
    out = tmp_path_factory.mktemp("runs") / "a run"
    code, text = machine.run(*begin(desert, out), steps=STEPS + 3, signal=signal.SIGINT)
    assert code == 130, text
    shutil.copytree(out, out.with_name("copy"))
    return out, text


@pytest.fixture
def stopped(interrupted: tuple[Path, str], tmp_path: Path) -> Path:
    return shutil.copytree(interrupted[0].with_name("copy"), tmp_path / "copy")


def history(run: Path) -> list[dict]:
    """The rows without what a clock or the machine's memory says."""
    rows = json.loads((run / "history.json").read_text())
    return [{k: v for k, v in row.items() if k not in TIMED} for row in rows]


def last(run: Path) -> State:
    state = StateStore(run / "state", write=False).latest()
    assert state is not None
    return state


def check_same(run: Path, whole: Path) -> None:
    """History, state (weights, moments, averages, seeds, counts, best score) and models are those of the other run."""
    assert history(run) == history(whole)
    a, b = last(run), last(whole)
    assert a.host["keeper"] == b.host["keeper"]
    assert a.step == b.step == EPOCHS * STEPS
    assert list(a.arrays) == list(b.arrays)
    for name, array in b.arrays.items():
        assert a.arrays[name].tobytes() == array.tobytes(), name
    top = sorted(p.name for p in (whole / "top").iterdir())
    assert sorted(p.name for p in (run / "top").iterdir()) == top
    for name in ("last.keras", "best.keras", *(f"top/{name}" for name in top)):
        pairs = zip(load_segmenter(run / name).weights, load_segmenter(whole / name).weights, strict=True)
        for ours, theirs in pairs:
            assert np.asarray(ours.value).tobytes() == np.asarray(theirs.value).tobytes(), (name, ours.path)
    assert not list(run.rglob(".*"))


def test_the_state_is_more_than_the_weights(whole: Path, interrupted: tuple[Path, str]) -> None:
    """What the tests below compare is there, and all of it moves: of every group, and dropout's seed, something."""
    early, late = last(interrupted[0].with_name("copy")).arrays, last(whole).arrays
    moved = {name for name, array in late.items() if array.tobytes() != early[name].tobytes()}
    assert {name.split("/")[0] for name in moved} == {"trained", "other", "optimizer", "average", "measured"}
    assert any(name.startswith("other/") and late[name].dtype.kind in "iu" for name in moved)


def test_ctrl_c_and_the_command_that_it_prints(machine: Machine, interrupted: tuple[Path, str], whole: Path) -> None:
    out, text = interrupted
    assert "stopping after this step; Ctrl-C again quits at once" in text
    command = re.search(r"^desertseg: stopped by Ctrl-C; saved after step (\d+); go on with: (.*)$", text, re.M)
    assert command is not None, text
    assert int(command[1]) == last(out).step == STEPS + 3
    assert "Traceback" not in text
    program, *arguments = shlex.split(command[2])
    assert program == "desertseg"
    code, text = machine.run(*arguments)
    assert code == 0, text
    assert f"going on with step {STEPS + 4} of {EPOCHS * STEPS}" in text
    check_same(out, whole)


def test_sigterm_at_the_last_step_of_an_epoch(machine: Machine, desert: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    code, text = machine.run(*begin(desert, out), steps=STEPS, signal=signal.SIGTERM)
    assert code == 143, text
    assert f"desertseg: stopped by SIGTERM; saved after step {STEPS}; go on with: " in text
    assert len(history(out)) == 1
    code, text = machine.run("fit", "--resume", out)
    assert code == 0, text
    check_same(out, whole)


def test_a_full_disk_and_a_damaged_state(machine: Machine, stopped: Path, whole: Path) -> None:
    """No file may grow beyond 4 KB: states, models and plots fail, the training does not, and what was there stays.

    Then a bit of the newest state is turned: it is named, and the one before goes on to the same end.
    """
    before = {p.name: p.read_bytes() for p in (stopped / "state").iterdir()}
    code, text = machine.run("fit", "--resume", stopped, limit=4096)
    assert "Traceback" not in text
    assert len(re.findall(r"warning: .*/state cannot be written: File too large; training goes on", text)) == 1
    assert "epoch   2/2" in text
    assert {p.name: p.read_bytes() for p in (stopped / "state").iterdir()} == before

    earlier, newest = sorted((stopped / "state").glob("*.safetensors"))
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    (stopped / "history.json").unlink()  # the state has it too
    code, text = machine.run("fit", "--resume", stopped)
    assert code == 0, text
    line = f"state/{newest.stem} has arrays whose checksum differs; using state/{earlier.stem}"
    assert line in text
    assert line in (stopped / "log.txt").read_text()
    check_same(stopped, whole)


def refusal(machine: Machine, *arguments: object) -> str:
    code, text = machine.run("fit", *arguments)
    lines = text.strip().splitlines()
    assert (code, len(lines)) == (2, 1), text
    return lines[0]


def test_what_is_no_run_or_has_ended(machine: Machine, whole: Path, tmp_path: Path) -> None:
    assert "holds no run (there is no recipe.toml)" in refusal(machine, "--resume", tmp_path)
    assert "holds no run" in refusal(machine, "--resume", tmp_path / "none")
    line = refusal(machine, "--resume", whole)
    assert f"{whole} has ended after {EPOCHS} epochs; next: desertseg evaluate --model" in line


def test_another_recipe_or_data_set_is_refused_by_name(
    machine: Machine, stopped: Path, desert: Path, tmp_path: Path
) -> None:
    before = {p: p.read_bytes() for p in stopped.rglob("*") if p.is_file()}
    line = refusal(machine, "--resume", stopped, "--set", "train.epochs=9")
    assert "train.epochs is 2 in the run, and now 9" in line
    other = shutil.copytree(desert, tmp_path / "other")
    frame = min((other / "train" / "Color_Images").iterdir())
    frame.unlink()
    (other / "train" / "Segmentation" / frame.name).unlink()
    line = refusal(machine, "--resume", stopped, "--data", other)
    assert f"train: 1 frame is missing ({frame.stem}); the run has {2 * STEPS}, the folder {2 * STEPS - 1}" in line
    assert {p: p.read_bytes() for p in stopped.rglob("*") if p.is_file()} == before


def newest_step(run: Path) -> int:
    return max((int(p.stem.split("-")[1]) for p in (run / "state").glob("step-*.json")), default=0)


@pytest.mark.parametrize("kills", [10 if JAX else 3])
def test_killed_at_random_moments(machine: Machine, desert: Path, whole: Path, tmp_path: Path, kills: int) -> None:
    """SIGKILL, in turns at a random time and inside a write: before a random file of the run gets its name.

    The first dies at its first step, before there is a state. The others have written one, however slow the disk is, so
    each gets further than the one before.
    """
    draw, out = random.Random(4), tmp_path / "run"
    moments = sorted([STEPS, *draw.sample(range(2, EPOCHS * STEPS - 8), kills - 1)])
    steps, halves, command = [0], 0, begin(desert, out)
    for moment in moments:
        inside = moment == STEPS or len(steps) % 2 == 0  # an epoch's end writes the most files
        how = {"replacement": draw.randint(1, 6)} if inside else {"delay": draw.uniform(0, 0.03)}
        ahead = max(2, moment - steps[-1]) if len(steps) > 1 else 1
        code, text = machine.run(*command, steps=ahead, **how)
        assert code == -signal.SIGKILL, text
        steps.append(newest_step(out))
        halves += any(p.name.startswith(".") for p in out.rglob("*"))
        begun = (out / "recipe.toml").exists()
        command = ["fit", "--resume", out] if begun else [*begin(desert, out), "--overwrite"]
    assert steps[1:] == sorted(set(steps[1:]))
    assert halves >= kills // 3
    code, text = machine.run(*command)
    assert code == 0, text
    check_same(out, whole)
