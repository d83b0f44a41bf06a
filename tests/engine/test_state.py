from __future__ import annotations

import errno
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file

import desertseg.engine.state as module
from desertseg.engine.state import StateStore

KINDS = (np.float32, np.float64, ml_dtypes.bfloat16, np.int8, np.int32, np.int64, np.uint8, np.uint32, np.bool_)


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """One array of each kind, of several shapes, under names as Keras and as nobody gives them."""
    random = np.random.default_rng(seed)
    shapes = itertools.cycle([(), (3,), (2, 3, 4), (0, 2)])
    made = {f"a/{np.dtype(k).name}": (random.normal(size=next(shapes)) * 50).astype(k) for k in KINDS}
    turned = random.normal(size=(4, 5)).astype(np.float32).T
    return made | {"": np.float32(seed), 'a "name"\n ü/€': turned, "step-00000001": np.array([-0.0, 5e-324])}


def save(store: StateStore, step: int, **host: object) -> None:
    assert store.save(step, arrays(step), host, block=True)
    store.wait()


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def pair(step: int) -> list[str]:
    return [f"step-{step:08d}.json", f"step-{step:08d}.safetensors"]


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    """A store of two states, of steps 1 and 2."""
    store = StateStore(tmp_path / "state")
    save(store, 1)
    save(store, 2)
    return store


def test_every_bit_comes_back(tmp_path: Path) -> None:
    host = {"best": 0.1 + 0.2, "nothing": None, "rows": [{"loss": float("nan"), "name": "Grün"}], "n": 2**60}
    given = arrays()
    store = StateStore(tmp_path / "state")
    save(store, 0, **host)
    state = StateStore(tmp_path / "state").latest()
    assert state is not None
    assert (state.step, set(state.arrays)) == (0, set(given))
    for name, array in given.items():
        back = state.arrays[name]
        assert (back.dtype, back.shape) == (array.dtype, array.shape), name
        assert back.tobytes() == array.tobytes(), name
    assert json.dumps(state.host) == json.dumps(host)
    assert (store.problem, store.rejected, store.saved) == (None, None, 0)


def test_arrays_of_the_backend_are_taken(tmp_path: Path) -> None:
    import keras

    given = {kind: keras.ops.cast(keras.ops.arange(5), kind) for kind in ("float32", "bfloat16", "int32", "uint32")}
    store = StateStore(tmp_path / "state")
    store.save(3, given, {})
    state = store.latest()
    assert state is not None
    for kind, array in state.arrays.items():
        assert array.dtype.name == kind
        np.testing.assert_array_equal(array.astype(np.float64), np.arange(5))


def test_anyone_can_read_the_files(store: StateStore) -> None:
    """safetensors' own reader gets the arrays, any JSON reader the rest, any user of the machine both."""
    np.testing.assert_array_equal(load_file(store.folder / pair(2)[1])["a/int64"], arrays(2)["a/int64"])
    assert json.loads((store.folder / pair(2)[0]).read_text())["step"] == 2
    assert all(p.stat().st_mode & 0o777 == 0o644 for p in store.folder.iterdir())


def test_the_last_two_stay(store: StateStore) -> None:
    save(store, 30)
    assert names(store.folder) == sorted(pair(2) + pair(30))
    again = StateStore(store.folder)
    save(again, 100_000_000)
    assert names(store.folder) == sorted(pair(30) + pair(100_000_000))
    state = again.latest()
    assert state is not None
    assert state.step == 100_000_000


def test_a_step_that_is_saved_again_never_mixes_two_states(store: StateStore, monkeypatch) -> None:
    """While the second pair is being written the first is whole; an epoch's end saves a step once more."""
    seen = []
    flush = module._flush

    def watch(path: Path) -> None:
        seen.append(StateStore(store.folder, write=False).latest())
        flush(path)

    monkeypatch.setattr(module, "_flush", watch)
    assert store.save(2, arrays(2), {"validated": True})
    store.wait()
    assert [s.host for s in seen] == [{}, {}, {"validated": True}]
    assert names(store.folder) == ["step-00000002-2.json", "step-00000002-2.safetensors", *pair(2)]
    state = StateStore(store.folder).latest()
    assert state is not None
    assert state.host == {"validated": True}


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("where", [0, 9, 60, 150, -80, -2])
def test_a_flipped_bit_is_found_named_and_passed_over(store: StateStore, suffix: str, where: int) -> None:
    path = store.folder / f"step-00000002{suffix}"
    data = bytearray(path.read_bytes())
    data[where % len(data)] ^= 4
    path.write_bytes(data)
    check_fallback(store.folder, "checksum differs")


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("length", [0, 1, 50, -1])
def test_a_file_that_is_cut_off(store: StateStore, suffix: str, length: int) -> None:
    path = store.folder / f"step-00000002{suffix}"
    path.write_bytes(path.read_bytes()[:length])
    check_fallback(store.folder, "checksum differs")


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_half_a_pair(store: StateStore, suffix: str) -> None:
    (store.folder / f"step-00000002{suffix}").unlink()
    check_fallback(store.folder, f"has no {suffix} file")


def test_a_state_under_a_wrong_name(store: StateStore) -> None:
    for name in pair(1):
        shutil.copy(store.folder / name, store.folder / name.replace("1", "2"))
    check_fallback(store.folder, "says that it is step 1")


def check_fallback(folder: Path, reason: str) -> None:
    """The state of step 1 is used and the other named; the next one pushes out the damaged one, not the good one."""
    store = StateStore(folder)
    state = store.latest()
    assert state is not None
    assert (state.step, store.saved) == (1, 1)
    assert state.arrays["a/float32"].tobytes() == arrays(1)["a/float32"].tobytes()
    assert len(store.notes) == 1
    assert store.notes[0].startswith("state/step-00000002 ")
    assert store.notes[0].endswith("; using state/step-00000001")
    assert reason in store.notes[0]
    save(StateStore(folder), 2)  # by a store that has not looked
    left = {n.split(".")[0] for n in names(folder)}
    assert "step-00000001" in left
    assert len(left) == 2
    state = store.latest()
    assert state is not None
    assert (state.step, store.notes) == (2, [])


def test_nothing_whole_is_left(store: StateStore) -> None:
    for path in store.folder.iterdir():
        path.write_bytes(b"")
    assert store.latest() is None
    assert [line.split("; ")[1] for line in store.notes] == ["no earlier state is left"] * 2
    assert StateStore(store.folder / "none").latest() is None


def test_what_a_killed_writer_left_is_removed(store: StateStore) -> None:
    kept = names(store.folder)
    for name in (".step-00000003-ab12.safetensors", ".step-00000003-x.json", ".tmpQ1w2E3", "step-00000003.safetensors"):
        (store.folder / name).write_bytes(b"half")
    (store.folder / "note.txt").write_text("a user's own")
    StateStore(store.folder, write=False)
    assert len(names(store.folder)) == len(kept) + 5
    again = StateStore(store.folder)
    assert again.latest().step == 2  # type: ignore[union-attr]
    assert again.notes == ["state/step-00000003 has no .json file; using state/step-00000002"]
    save(again, 3)
    assert names(store.folder) == sorted(["note.txt", *pair(2), "step-00000003-2.json", "step-00000003-2.safetensors"])


KILLED = """
import importlib.util, os, signal, sys
import numpy as np
spec = importlib.util.spec_from_file_location("state", sys.argv[1])  # alone: the engine's other rooms take seconds
module = sys.modules["state"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
calls = 0

def counted(function, moment):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call

for moment, folder in enumerate(sys.argv[2:], 1):
    if os.fork() == 0:
        store = module.StateStore(folder)
        for name in ("replacing", "save_file", "_digest", "_flush", "_sealed"):
            setattr(module, name, counted(getattr(module, name), moment))
        os.replace, os.fsync = counted(os.replace, moment), counted(os.fsync, moment)
        module.Path.unlink = counted(module.Path.unlink, moment)
        store.save(3, {"a": np.full(1000, 3.0)}, {"epoch": 3})
        store.wait()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_writer_that_is_killed_before_any_of_its_calls(tmp_path: Path) -> None:
    """SIGKILL at each step of a write: what can be read afterwards is the state before or the new one, whole."""
    stores = [StateStore(tmp_path / str(moment) / "state") for moment in range(25)]
    for store, step in itertools.product(stores, (1, 2)):
        store.save(step, {"a": np.full(1000, float(step))}, {"epoch": step}, block=True)
        store.wait()
    command = [sys.executable, "-c", KILLED, module.__file__, *(str(s.folder) for s in stores)]
    codes = [int(line) for line in subprocess.check_output(command, text=True).split()]
    count = codes.index(0)
    assert count > 12
    assert codes == [-9] * count + [0] * (25 - count)
    steps = []
    for store in stores:
        again = StateStore(store.folder)
        state = again.latest()
        assert state is not None
        assert (state.host, np.unique(state.arrays["a"]).tolist()) == ({"epoch": state.step}, [float(state.step)])
        assert not [n for n in names(store.folder) if n.startswith(".")]
        steps.append(state.step)
    assert steps == sorted(steps)
    assert set(steps[:count]) == {2, 3}


def test_saving_does_not_wait_and_is_bounded(tmp_path: Path, monkeypatch) -> None:
    go = threading.Event()
    write = module.save_file

    def slow(*arguments: object) -> None:
        assert go.wait(20)
        write(*arguments)

    monkeypatch.setattr(module, "save_file", slow)
    store = StateStore(tmp_path / "state")
    host = {"rows": [1]}
    assert store.save(1, arrays(), host)
    host["rows"].append(2)  # what was given is taken down already
    assert not store.save(2, arrays(), {})
    assert store.saved is None
    threading.Timer(0.05, go.set).start()
    assert store.save(3, arrays(), {}, block=True)
    store.wait()
    assert names(store.folder) == sorted(pair(1) + pair(3))
    assert json.loads((store.folder / pair(1)[0]).read_text())["host"] == {"rows": [1]}


@pytest.mark.parametrize("kind", [np.float32, np.float64, ml_dtypes.bfloat16])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_state_that_is_not_finite_is_rejected(store: StateStore, kind: type, value: float) -> None:
    bad = np.zeros(5, kind)
    bad[3] = value
    store.save(3, arrays() | {"optimizer/velocity": bad}, {})
    state = store.latest()
    assert state is not None
    assert state.step == 2
    assert store.rejected == "the state of step 3 is not kept: optimizer/velocity is not finite"
    assert names(store.folder) == sorted(pair(1) + pair(2))


def check_problem(store: StateStore, reason: str, text: str = "") -> None:
    """One line, no exception, and what was there stays as it was."""
    before = {p: p.read_bytes() for p in store.folder.rglob("*")} if store.folder.is_dir() else {}
    assert store.save(3, arrays(), {"text": text})
    store.wait()
    assert store.problem is not None
    assert store.problem.startswith(f"{store.folder} cannot be written: ")
    assert reason in store.problem
    assert "\n" not in store.problem
    assert ({p: p.read_bytes() for p in store.folder.rglob("*")} if store.folder.is_dir() else {}) == before


def check_recovery(store: StateStore) -> None:
    """Once the disk is well again, saving is too."""
    save(store, 4)
    assert (store.problem, store.saved) == (None, 4)


@pytest.mark.parametrize(("limit", "length"), [(400, 0), (4000, 5000)], ids=["arrays", "json"])
def test_a_full_disk(store: StateStore, limit: int, length: int) -> None:
    """The operating system itself refuses to write on, as on a full disk: the arrays' file, or the JSON after it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        check_problem(store, os.strerror(errno.EFBIG), "x" * length)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    check_recovery(store)


@pytest.mark.parametrize("name", ["replacing", "save_file", "_flush", "_sealed"])
def test_any_call_that_the_system_refuses(store: StateStore, monkeypatch, name: str) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(module, name, refuse)
        check_problem(store, "No space left on device")
    check_recovery(store)


def test_a_folder_that_nobody_may_write_to(store: StateStore) -> None:
    store.folder.chmod(0o555)
    try:
        if os.access(store.folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        check_problem(store, "Permission denied")
        again = StateStore(store.folder)
        state = again.latest()
    finally:
        store.folder.chmod(0o755)
    assert state is not None
    assert state.step == 2
    check_recovery(store)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    check_problem(StateStore(tmp_path / "state"), "Not a directory")


def test_a_run_folder_that_has_gone(store: StateStore, tmp_path: Path) -> None:
    shutil.rmtree(store.folder)
    check_recovery(store)  # the state's own folder is made again
    run = tmp_path / "run"
    other = StateStore(run / "state")
    save(other, 1)
    run.rename(tmp_path / "moved")
    check_problem(other, "the run folder is gone")
    assert not run.exists()


def test_a_fault_of_the_program_is_raised(store: StateStore) -> None:
    store.save(3, {"a": np.array(["text"])}, {})
    with pytest.raises(Exception, match="isfinite"):
        store.wait()
    with pytest.raises(ValueError, match="__metadata__"):
        store.save(3, {"__metadata__": np.zeros(1)}, {})
    with pytest.raises(TypeError):
        store.save(3, {}, {"array": np.zeros(1)})
    check_recovery(store)


def test_one_of_several_hosts_writes(tmp_path: Path, store: StateStore) -> None:
    other = StateStore(store.folder, write=False)
    assert other.save(3, arrays(), {})
    assert other.latest().step == 2  # type: ignore[union-attr]


def test_a_new_run_clears_the_old_one(store: StateStore) -> None:
    StateStore(store.folder).clear()
    assert names(store.folder) == []
    save(store, 1)
    assert names(store.folder) == pair(1)
