"""Training: a recipe and a folder in, a run folder with its best model out; and going on with a run that stopped."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras

from desertseg.engine.compiled import make_deterministic
from desertseg.engine.fingerprint import differences, fingerprint
from desertseg.engine.network import resolve_model
from desertseg.engine.plan import Plan, make_plan
from desertseg.engine.recipe import Recipe
from desertseg.engine.run import STATE, RunFolder
from desertseg.engine.state import StateStore
from desertseg.engine.training import Run, Training
from desertseg.errors import UserError


def fit(
    data: str | Path,
    out: str | Path,
    recipe: Recipe | None = None,
    *,
    overwrite: bool = False,
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
        workers: processes that decode frames; 0 decodes in threads.
        progress: print a progress bar and a line an epoch.
        **settings: changes to the recipe by name, such as `epochs=5`, `size=(96, 160)`, `backbone="resnet34"`.

    Raises:
        UserError: settings, data or a folder that cannot be used, or a loss that is no longer finite; the message says
            how to mend it.
        Stopped: by Ctrl-C or SIGTERM; the message says how to go on.
    """
    recipe = (recipe or Recipe()).with_settings(**settings)
    make_deterministic(recipe.train.deterministic)
    plan = make_plan(data, recipe)
    found = fingerprint(plan.train, plan.val, plan.labels)
    folder = RunFolder(out, plan.recipe, plan.labels, str(data), overwrite=overwrite, fingerprint=found)
    return Training(plan, folder, workers=workers, progress=progress).run()


def resume(
    out: str | Path,
    *,
    data: str | Path | None = None,
    recipe: Recipe | None = None,
    workers: int = 0,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Return the run in a folder after going on with it from its last state, as if it had never stopped.

    Weights, optimiser, averages, dropout's seeds, the place in the data, the best score and the history go on; on one
    machine the result is the same to the last bit.

    Args:
        out: the run folder.
        data: where the frames are now, if the folder has moved.
        recipe, settings: what the caller believes the recipe to be; another one than the run's is refused.
        workers, progress: as in `fit`.

    Raises:
        UserError: a folder without a run or a state, a run that has ended, or a recipe, frames or a backend that
            differ from the run's; the message says what differs.
        Stopped: as in `fit`.
    """
    store = StateStore(Path(out) / STATE, write=False)
    state = store.latest()
    history = state.host["history"] if state else []
    folder = RunFolder.reopen(out, len(history), history=history)
    own = Recipe.from_dict(folder.recipe, source=str(folder.path / "recipe.toml"))
    make_deterministic(own.train.deterministic)
    asked = (recipe or own).with_settings(**settings)
    asked = dataclasses.replace(asked, model=resolve_model(asked.model))
    _refuse(folder, "recipe", differences(own.to_dict(), asked.to_dict()))
    running = {"backend": keras.backend.backend()}
    _refuse(folder, "backend", differences({"backend": folder.environment.get("backend")}, running))
    plan = make_plan(data or folder.data, own)
    _refuse(folder, "data set", differences(folder.fingerprint or {}, fingerprint(plan.train, plan.val, plan.labels)))
    if state and _has_ended(plan, state.host, state.step):
        raise UserError(
            f"{out} has ended after {len(history)} epochs; next: desertseg evaluate --model "
            f"{folder.path / 'best.keras'} --data {data or folder.data}. To train on, start a run with --weights"
        )
    training = Training(plan, folder, workers=workers, progress=progress)
    training.notes = [*store.notes, *folder.notes]
    return training.run(state)


def _has_ended(plan: Plan, host: dict[str, Any], step: int) -> bool:
    train, keeper = plan.recipe.train, host["keeper"]
    early = step % plan.steps == 0 and 0 < train.patience <= keeper["waited"]
    return early or step >= plan.steps * train.epochs


def _refuse(folder: RunFolder, what: str, lines: list[str]) -> None:
    if lines:
        more = f" (and {len(lines) - 1} more differences)" if len(lines) > 1 else ""
        raise UserError(
            f"{folder.path} was trained with another {what}: {lines[0]}{more}; --resume goes on with the same run. For "
            "a new one that begins with its weights: desertseg fit --weights "
            f"{folder.path / 'last.keras'} --out ANOTHER"
        )
