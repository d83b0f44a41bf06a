"""Four virtual devices, and two processes over loopback, compute what one device computes of the same batches.

Equal but for rounding: float32 sums over a batch are taken in another order. The optimiser is SGD, because Adam divides
a gradient that is all rounding by its own size.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from desertseg.engine import fit, join_hosts, load_segmenter
from desertseg.engine.devices import Devices, check_batch, find_devices
from desertseg.errors import UserError

JAX = os.environ.get("KERAS_BACKEND", "jax") == "jax"
jax_only = pytest.mark.skipif(not JAX, reason="several devices train on JAX")

RECIPE = """
[data]
size = [28, 28]
[model]
name = "linear"
open_blocks = "all"
options = {width = 16, depth = 1, num_heads = 2, dropout = 0.25, normalize = true}
[optimizer]
name = "sgd"
learning_rate = 0.01
ema_decay = 0.9
[augment]
cutmix = 0.5
[train]
epochs = 3
batch_size = 4
"""

# Fit in a child of a process that has imported everything, once for each argument: JSON of join_hosts' and fit's.
FITS = """
import json, os, sys
from desertseg.engine import fit, join_hosts, load_recipe
children = []
for order in map(json.loads, sys.argv[1:]):
    children.append(os.fork())
    if not children[-1]:
        code = 1
        try:
            if "hosts" in order:
                join_hosts(*order.pop("hosts"))
            fit(recipe=load_recipe(order.pop("recipe")), progress=False, **order)
            code = 0
        finally:
            os._exit(code)  # no destructors of what the parent imported; the hosts have waited for each other
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""

# A step with batch normalisation, dropout, micro-batches and effects, on one device and on four.
STEPS = """
import random, re, sys
import keras, numpy as np
from desertseg.engine.devices import find_devices
from desertseg.engine.optimizers import build_optimizer
from desertseg.engine.program import Program
from desertseg.engine.recipe import OptimizerRecipe
from desertseg.labels import load_labels
from desertseg.losses import FocalDice
from desertseg.models import Segmenter

generator = np.random.default_rng(0)
affine = np.tile(np.array([[-1, 0, 14], [0, 1, 0]], np.float32), (8, 1, 1))
images, labels = (generator.integers(0, n, (8, 12, 18, *c), np.uint8) for n, c in ((256, (3,)), (10, ())))
labels[0, :6], labels[3] = 255, 255
effects = {"noise": np.linspace(0, 9, 8, dtype=np.float32), "noise_offset": np.full((8, 2), 5, np.int32)}
inputs = {"image": images, "affine": affine, **effects}
for count in (1, 4):
    random.seed(0)
    x = pixels = keras.Input((None, None, 3))
    for layer in (keras.layers.Conv2D(8, 3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.3)):
        x = layer(x)
    network = keras.Model(pixels, keras.layers.Conv2DTranspose(10, 3)(x))
    segmenter = Segmenter(network, load_labels("falcon"), (8, 12))
    optimizer = build_optimizer(OptimizerRecipe(name="sgd", weight_decay=0.0), segmenter)
    devices = find_devices(count)
    program = Program(segmenter, FocalDice(), optimizer, (8, 12), accumulate=2, ema_decay=0.9, devices=devices)
    losses = [float(program.step((inputs, labels), 0.1, n)) for n in (1, 2, 3)]
    state = {k: np.asarray(v) for k, v in program.state().items()}
    variables = [(f"{g}/{i:04d}", v) for g, vs in program._variables.items() for i, v in enumerate(vs)]
    names = {key: re.sub(r"_[0-9]+", "", variable.path) for key, variable in variables}
    np.savez(f"{sys.argv[1]}/{count}.npz", losses=losses, **{f"{k} {names[k]}": v for k, v in state.items()})
runner = program._runner
batch = devices.share((inputs, labels))
compiled = runner._step.lower(runner._values, *batch, np.float32(0.1), np.int32(4)).compile()
kinds = "all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter"
found = re.findall(rf"({kinds})(?:-start)?[(]", compiled.as_text())
print(" ".join(sorted(set(found))))
assert keras.distribution.distribution() is None
"""


def environment(devices: int) -> dict[str, str]:
    """What a child needs to see so many devices, and to compile fast instead of well."""
    flags = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
    return os.environ | {"XLA_FLAGS": flags, "PYTHONWARNINGS": "ignore"}


def run(script: str, *arguments: object, devices: int = 4) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=environment(devices), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def free_address() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


def history(run: Path) -> list[dict]:
    return json.loads((run / "history.json").read_text())


def assert_same_curve(run: Path, other: Path) -> None:
    """Losses to 1e-4 of themselves, and scores of as many pixels but for those where two classes are equally likely."""
    assert len(history(run)) == len(history(other)) > 1
    for row, expected in zip(history(run), history(other), strict=True):
        for key in ("loss", "val_loss", "ema_val_loss"):
            assert row[key] == pytest.approx(expected[key], rel=1e-4)
        for key in ("miou", "val_miou", "val_pixel_accuracy", "ema_val_miou"):
            assert row[key] == pytest.approx(expected[key], abs=2e-3)
    first, last = history(run)[0]["loss"], history(run)[-1]["loss"]
    assert last < first - 0.01  # or there would be nothing to compare


def assert_same_weights(run: Path, other: Path) -> None:
    found, expected = (load_segmenter(r / "last.keras").weights for r in (run, other))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a.value), np.asarray(b.value), rtol=1e-3, atol=1e-4, err_msg=a.path)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(RECIPE)
    return path


@jax_only
def test_a_step_on_four_devices_is_that_on_one(tmp_path: Path) -> None:
    """Losses, weights, averages, dropout's seeds, pixel counts and the moving statistics of batch normalisation."""
    exchanged = run(STEPS, tmp_path)
    assert exchanged.split() == ["all-reduce"]  # sums alone: no picture, no logit goes from one device to another
    one, four = (np.load(tmp_path / f"{n}.npz") for n in (1, 4))
    assert one.files == four.files
    assert sum("moving_variance" in name for name in one.files) == 1
    for name in one.files:
        np.testing.assert_allclose(four[name], one[name], rtol=1e-4, atol=1e-5, err_msg=name)
        if np.issubdtype(one[name].dtype, np.integer):  # counted pixels, seeds
            np.testing.assert_array_equal(four[name], one[name], err_msg=name)


@jax_only
def test_two_hosts_of_two_devices_train_as_one_device_does(tiny_desert: Path, recipe: Path, tmp_path: Path) -> None:
    """Samples take boxes from partners on the other host; each host scores its own validation frames."""
    order = {"data": str(tiny_desert), "recipe": str(recipe)}
    address, both = free_address(), tmp_path / "both"
    hosts = [order | {"out": str(both), "devices": 2, "hosts": (2, k, address)} for k in (0, 1)]
    alone = order | {"out": str(tmp_path / "alone")}
    run(FITS, *map(json.dumps, (alone, *hosts)), devices=2)
    assert_same_curve(both, tmp_path / "alone")
    assert_same_weights(both, tmp_path / "alone")
    log = (both / "log.txt").read_text()
    assert log.count("epoch   1/3") == 1  # one of them writes
    assert "each step is shared by 4 devices on 2 hosts" in log
    entry = json.loads((both / "environment.json").read_text())
    assert (entry["devices"], entry["hosts"]) == (4, 2)


@pytest.mark.slow
@jax_only
def test_a_run_goes_on_with_other_devices(tiny_desert: Path, recipe: Path, tmp_path: Path) -> None:
    """Four devices for an epoch, then one, then evaluation in that process: the curve of one device all along."""
    script = f"""
import sys
from desertseg.engine import evaluate, fit, load_recipe, resume
from desertseg.engine.training import Training
from desertseg.errors import Stopped
data, recipe, out = sys.argv[1:]
finish = Training._finish
def stop(training, epoch):
    verdict = finish(training, epoch)
    training.signal.signal = {int(signal.SIGTERM)}
    return verdict
fit(data, out + "/alone", load_recipe(recipe), progress=False)
Training._finish = stop
try:
    fit(data, out + "/moved", load_recipe(recipe), devices=4, progress=False)
except Stopped as error:
    assert error.exit_code == 143, error
Training._finish = finish
run = resume(out + "/moved", devices=1, progress=False)  # without a number: on four again
print(evaluate(run.best, data, progress=False).scores.miou, run.miou)
"""
    measured, kept = map(float, run(script, tiny_desert, recipe, tmp_path).split())
    assert measured == pytest.approx(kept, abs=1e-6)
    assert_same_curve(tmp_path / "moved", tmp_path / "alone")
    assert "each step is now shared by 1 device, and was by 4 on 1 host" in (tmp_path / "moved" / "log.txt").read_text()


@pytest.mark.slow
@jax_only
def test_a_signal_to_one_host_stops_all_at_one_step(tiny_desert: Path, recipe: Path, tmp_path: Path) -> None:
    out, address = tmp_path / "run", free_address()
    command = [sys.executable, "-c", "from desertseg.cli.main import main; main()", "fit", "--data", str(tiny_desert)]
    command += ["--recipe", str(recipe), "--out", str(out), "--epochs", "9999", "--hosts", "2"]
    command += ["--coordinator", address]
    hosts = []
    for k in (0, 1):
        with (tmp_path / f"{k}.txt").open("w") as log:
            process = subprocess.Popen([*command, "--host", str(k)], env=environment(1), stdout=log, stderr=log)
        hosts.append(process)
    deadline = time.monotonic() + 200
    while "epoch   2" not in (tmp_path / "0.txt").read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    hosts[1].terminate()
    assert [process.wait(timeout=100) for process in hosts] == [143, 143], (tmp_path / "0.txt").read_text()
    texts = [(tmp_path / f"{k}.txt").read_text() for k in (0, 1)]
    assert all(f"go on with: desertseg fit --resume {out}" in text for text in texts)
    assert len(list((out / "state").glob("*.json"))) == 2


def test_devices_that_cannot_train_are_refused_in_a_line(tiny_desert: Path, tmp_path: Path) -> None:
    if not JAX:
        with pytest.raises(UserError, match="train on JAX alone; leave out --devices"):
            fit(tiny_desert, tmp_path / "run", devices=2, progress=False)
        with pytest.raises(UserError, match="train on JAX alone; leave out --hosts"):
            join_hosts(2, 0, "localhost:1")
        return
    with pytest.raises(UserError, match=r"fewer than --devices 999; use --devices all"):
        fit(tiny_desert, tmp_path / "run", devices=999, progress=False)
    for devices in (0, "two"):
        with pytest.raises(UserError, match="give a number from 1 on, or all"):
            find_devices(devices)
    with pytest.raises(UserError, match="host is 2 of 2; hosts are counted from 0, so give 0 to 1"):
        join_hosts(2, 2, "localhost:1")
    with pytest.raises(UserError, match="coordinator is 'node0'"):
        join_hosts(2, 0, "node0")


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "frames", "mend"),
    [
        (6, 1, 100, "a batch of 6 cannot be shared evenly by 4 devices; use --batch-size 8"),
        (5, 1, 100, "use --batch-size 4"),
        (7, 2, 15, r"a batch of 7 \(of each of 2 micro-batches\) .* use --batch-size 4"),
        (3, 1, 3, "use fewer devices"),
    ],
)
def test_a_batch_that_devices_cannot_share_is_refused(batch_size: int, accumulate: int, frames: int, mend: str) -> None:
    devices = Devices()
    devices.count = 4
    with pytest.raises(UserError, match=mend):
        check_batch(devices, batch_size, accumulate, frames)
    check_batch(devices, 8, 2, 16)
