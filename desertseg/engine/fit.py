"""Training: a recipe and a folder in, a run folder with its best model out; and going on with a run that stopped."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import keras

from desertseg.engine.compiled import make_deterministic
from desertseg.engine.devices import Devices, check_batch, find_devices
from desertseg.engine.fingerprint import differences, fingerprint
from desertseg.engine.network import resolve_model
from desertseg.engine.plan import Plan, make_plan
from desertseg.engine.precheck import precheck_training
from desertseg.engine.recipe import Recipe
from desertseg.engine.recipe.sections import AUTO
from desertseg.engine.remember import remember_run
from desertseg.engine.run import STATE, RunFolder
from desertseg.engine.state import State, StateStore
from desertseg.engine.training import Run, Training
from desertseg.errors import UserError


def fit(
    data: str | Path,
    out: str | Path,
    recipe: Recipe | None = None,
    *,
    overwrite: bool = False,
    devices: int | str = 1,
    workers: int = 0,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Return the run of a training on `data`/train; its model is the best on `data`/val at native size.

    Args:
        data: a folder of frames and masks with a train and a val split; without such folders the last fifth of every
            scene is held out.
        out: the run folder to make.
        recipe: what to train and how; the default recipe when None.
        overwrite: replace the run that `out` holds.
        devices: how many share each step, or "all", on JAX; of each host, where several have joined (`join_hosts`).
        workers: processes that decode frames; 0 decodes in threads.
        progress: print a progress bar and a line an epoch.
        **settings: changes to the recipe by name, such as `epochs=5`, `size=(96, 160)`, `backbone="resnet34"`.

    Raises:
        UserError: settings, data or a folder that cannot be used, or a loss that is no longer finite; the message says
            how to mend it.
        Stopped: by Ctrl-C or SIGTERM; the message says how to go on.
    """
    shared = find_devices(devices)
    with shared.together():
        recipe = (recipe or Recipe()).with_settings(**settings)
        make_deterministic(recipe.train.deterministic)
        plan = make_plan(data, recipe)
        check_batch(shared, recipe.train.batch_size, recipe.train.accumulate, len(plan.train))
        warnings = precheck_training(plan.train, plan.val, plan.labels, data)
        found, write = fingerprint(plan.train, plan.val, plan.labels), shared.first
        folder = RunFolder(
            out, plan.recipe, plan.labels, str(data), overwrite=overwrite, fingerprint=found, write=write
        )
    _check_hosts(shared, folder, 0)
    folder.environment |= {"devices": shared.count, "hosts": shared.hosts}
    training = Training(plan, folder, shared, workers=workers, progress=progress)
    training.notes = [*plan.notes, *warnings, *([f"each step is shared by {shared}"] if shared.count > 1 else [])]
    return walk(training)


def resume(
    out: str | Path,
    *,
    data: str | Path | None = None,
    recipe: Recipe | None = None,
    devices: int | str | None = None,
    workers: int = 0,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Return the run in a folder after going on with it from its last state, as if it had never stopped.

    Weights, optimiser, averages, dropout's seeds, the place in the data, the best score and the history go on; on one
    machine with as many devices the result is the same to the last bit. With other devices it is so but for rounding.
    The checkpoint that the run began with is not read again.

    Args:
        out: the run folder.
        data: where the frames are now, if the folder has moved.
        recipe, settings: what the caller believes the recipe to be; another one than the run's is refused.
        devices, workers, progress: as in `fit`, devices by default as the run had them. Several hosts read the folder,
            which all must see.

    Raises:
        UserError: a folder without a run or a state, a run that has ended, or a recipe, frames or a backend that
            differ from the run's; the message says what differs.
        Stopped: as in `fit`.
    """
    shared = find_devices(_devices_of(Path(out)) if devices is None else devices)
    with shared.together():
        training, state = _reopen(Path(out), data, recipe, settings, shared)
    training.workers, training.progress = workers, progress and shared.first
    _check_hosts(shared, training.folder, state.step if state else 0)
    return walk(training, state)


def walk(training: Training, state: State | None = None) -> Run:
    """Train to the end, and store with the best model what its frames looked like."""
    devices, folder = training.devices, training.folder
    with devices.linked(folder.path):
        run = training.run(state)
        with devices.together():  # no host leaves before the first has looked
            if devices.first:
                remember_run(training.plan, run.best, training.say, training.progress)
    return run


def _reopen(
    out: Path, data: str | Path | None, recipe: Recipe | None, settings: dict[str, Any], devices: Devices
) -> tuple[Training, State | None]:
    """Return the training in a folder and the state that it goes on from, having refused all that differs."""
    store = StateStore(out / STATE, write=False)
    state = store.latest()
    history = state.host["history"] if state else []
    folder = RunFolder.reopen(out, len(history), history=history, write=devices.first)
    own = Recipe.from_dict(folder.recipe, source=str(folder.path / "recipe.toml"))
    make_deterministic(own.train.deterministic)
    asked = (recipe or own).with_settings(**settings)
    if asked.model != own.model:
        asked = dataclasses.replace(asked, model=resolve_model(asked.model))
    if asked.data.labels == AUTO:
        asked = asked.with_settings(labels=own.data.labels)
    _refuse(folder, "recipe", differences(own.to_dict(), asked.to_dict()))
    backend = keras.backend.backend()  # a file that was lost refuses nothing: the notes tell of it
    _refuse(
        folder, "backend", differences({"backend": folder.environment.get("backend", backend)}, {"backend": backend})
    )
    if not (data or folder.data):
        raise UserError(f"{folder.path} no longer says on which frames it was trained; give --data as well")
    plan = make_plan(data or folder.data, own, resolved=True)
    check_batch(devices, own.train.batch_size, own.train.accumulate, len(plan.train))
    found = fingerprint(plan.train, plan.val, plan.labels)
    _refuse(folder, "data set", differences(folder.fingerprint or found, found))
    folder.fingerprint = found
    if state and _has_ended(plan, state.host, state.step):
        if devices.first:  # a run that died between its last step and this lacks nothing else
            remember_run(plan, folder.path / "best.keras", _hush)
        raise UserError(
            f"{out} has ended after {len(history)} epochs; next: desertseg evaluate --model "
            f"{folder.path / 'best.keras'} --data {data or folder.data}. To train on, start a run with --weights"
        )
    training = Training(plan, folder, devices)
    training.notes = [*store.notes, *folder.notes, *_compare_devices(folder, devices)]
    return training, state


def _devices_of(out: Path) -> int:
    """Return how many devices of each host a run had last, 1 where that is not known."""
    try:
        known = json.loads((out / "environment.json").read_text(encoding="utf-8"))
        last = [known, *known.get("resumed", [])][-1]
        return last["devices"] // last["hosts"]
    except (OSError, ValueError, KeyError):  # what is wrong with the folder is said later
        return 1


def _compare_devices(folder: RunFolder, devices: Devices) -> list[str]:
    """Write down which devices a run goes on with; return a line if they are other ones than before."""
    entries = [folder.environment, *folder.environment["resumed"]]
    last, now = entries[-2:]
    before = last.get("devices", 1), last.get("hosts", 1)
    now |= {"devices": devices.count, "hosts": devices.hosts}
    if before == (devices.count, devices.hosts):
        return []
    return [
        f"each step is now shared by {devices}, and was by {before[0]} on {before[1]} host{'s' * (before[1] > 1)}: "
        "sums round differently, so the run is no longer the same to the last bit"
    ]


def _check_hosts(devices: Devices, folder: RunFolder, step: int) -> None:
    """Refuse hosts that would not train the same."""
    for what, value in (("recipe", folder.recipe), ("data set", folder.fingerprint), ("state", step)):
        text = json.dumps(value, sort_keys=True)
        devices.check_equal(hashlib.sha256(text.encode()).digest(), what)


def _has_ended(plan: Plan, host: dict[str, Any], step: int) -> bool:
    train, keeper = plan.recipe.train, host["keeper"]
    early = step % plan.steps == 0 and 0 < train.patience <= keeper["waited"]
    return early or step >= plan.steps * train.epochs


def _hush(text: str) -> None:
    """What a run that has ended would note is not news."""


def _refuse(folder: RunFolder, what: str, lines: list[str]) -> None:
    if lines:
        more = f" (and {len(lines) - 1} more differences)" if len(lines) > 1 else ""
        raise UserError(
            f"{folder.path} was trained with another {what}: {lines[0]}{more}; --resume goes on with the same run. For "
            "a new one that begins with its weights: desertseg fit --weights "
            f"{folder.path / 'last.keras'} --data DIR --out ANOTHER"
        )
