"""The training loop: epochs of steps, with a validation, a verdict and a state to resume from behind each of them."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desertseg.engine.checkpoint import save_segmenter
from desertseg.engine.compiled import device_memory
from desertseg.engine.devices import Devices
from desertseg.engine.history import epoch_line, history_row
from desertseg.engine.inference import Inference
from desertseg.engine.keeper import Keeper, Verdict
from desertseg.engine.loggers import open_loggers
from desertseg.engine.plan import Plan
from desertseg.engine.plots import RunPlots
from desertseg.engine.run import STATE, RunFolder
from desertseg.engine.stages import Stages
from desertseg.engine.state import State, StateStore
from desertseg.engine.stopping import Stopped, StopSignal
from desertseg.engine.validation import validate
from desertseg.errors import UserError
from desertseg.files import replacing
from desertseg.metrics import Scores
from desertseg.report import draw_per_class
from desertseg.terminal import progress_line

_IN_FLIGHT = 4  # steps that the host may be ahead of the device
_LOOK = 1.0  # seconds between two looks at what the device has measured


@dataclass(frozen=True)
class Run:
    """What `fit` leaves: the folder, its best model, and that model's epoch and validation mean IoU."""

    data: Path
    folder: Path
    best: Path
    epoch: int
    miou: float
    definition: str


class Training:
    """A plan on its way; `run` walks it to its end, from the beginning or from a state.

    Args:
        plan: what is trained.
        folder: where the run is written.
        workers: processes that decode frames; 0 decodes in threads.
        progress: print a progress line and a line an epoch.
        devices: that share each step; of several hosts the first writes.
    """

    def __init__(self, plan: Plan, folder: RunFolder, devices: Devices, workers: int = 0, progress: bool = True):
        self.plan, self.folder, self.devices, self.workers = plan, folder, devices, workers
        self.progress = progress and devices.first
        train, write = plan.recipe.train, devices.first
        self.keeper = Keeper(
            train.monitor, plan.labels.names, keep=train.keep, patience=train.patience, folder=folder.path, write=write
        )
        self.plots = RunPlots(folder.path, plan.labels)
        self.step = 0  # the one that comes next
        self.notes: list[str] = []  # what there is to tell before it begins
        self._told: set[str] = set()

    def run(self, state: State | None = None) -> Run:
        """Return the run once it has ended, or goes on from `state` and then ends.

        Raises:
            Stopped: by Ctrl-C or SIGTERM, with the state saved.
            UserError: a frame that cannot be read, or a loss that is no longer finite.
        """
        plan = self.plan
        train = plan.recipe.train
        self.store = StateStore(self.folder.path / STATE, write=self.devices.first)
        total, done = (steps * plan.images for steps in (plan.steps * train.epochs, state.step if state else 0))
        bar = progress_line("fit", total, "images", self.progress, completed=done)
        with bar as self.line, StopSignal() as self.signal:
            with self.devices.together():
                log = train.log if self.devices.first else []
                self.loggers = open_loggers(log, self.folder.path, plan.recipe.to_dict(), len(self.folder.history))
                index = self._count_classes()
                loss = plan.loss(index)
                self.stages = Stages(plan, loss, self.devices, index, fresh=state is None)
            self.inference = Inference(self.stages.segmenter, loss, deterministic=train.deterministic)
            self._take_up(state)
            self._introduce()
            batches = self.devices.steady(plan.batches(index, self.step, self.workers, self.devices.shard))
            try:
                for epoch in range(self.step // plan.steps, train.epochs):
                    self._enter(epoch)
                    self._train(epoch, batches)
                    if self._finish(epoch).stop:
                        self.say(f"no better {train.monitor} in train.patience = {train.patience}: training ends")
                        break
                    asked = self.devices.ask(self.signal.signal or 0, wait=True)
                    if asked and epoch + 1 < train.epochs:
                        self._stop(asked)
            finally:
                self._settle()
                for logger in self.loggers:
                    logger.close()
        best = self.keeper.best
        with self.devices.together():  # no host returns before the first has written everything
            if best is None:
                why = (self.keeper.problem or f"no epoch had a {train.monitor}").removesuffix("; training goes on")
                raise UserError(f"{plan.data} gave no best model: {why}; see {self.folder.path / 'history.csv'}")
        return Run(plan.data, self.folder.path, self.folder.path / "best.keras", best.epoch, best.miou, best.definition)

    def say(self, text: str) -> None:
        self.line.note(text)
        self.folder.log(text)

    def _count_classes(self) -> Any:
        if self.plan.needs_index:
            self.line.describe("count classes")
        return self.plan.index()

    def _introduce(self) -> None:
        plan, segmenter = self.plan, self.stages.segmenter
        for text in self.notes:
            self.say(text)
        if self.step:
            self.say(f"going on with step {self.step + 1} of {plan.steps * plan.recipe.train.epochs}")
            return
        counts = f"{len(plan.train)} training and {len(plan.val)} validation frames"
        self.say(f"{plan.data}: {counts}, {plan.labels.num_classes} classes ({plan.labels.name})")
        trained = sum(math.prod(v.shape) for v in segmenter.trainable_variables)
        total = segmenter.count_params()
        part = f", {trained:,} of them trained" if trained < total * 0.99 else ""
        model = plan.recipe.model
        self.say(f"{model.name} on {model.backbone}, {total:,} parameters{part}; {plan.steps} steps an epoch")
        for text in self.stages.told:
            self.say(text)

    def _take_up(self, state: State | None) -> None:
        """Begin, or put the state in place."""
        before = max(0, (state.step if state else 0) - 1) // self.plan.steps  # the epoch of the last step
        self.stage = self.stages.of_epoch(before)
        self.program = self.stages.program(self.stage)
        if state is None:
            return
        self.program.load(state.arrays)
        state.arrays.clear()  # the memory of what was read is needed elsewhere now
        self.step = self.store.saved = state.step
        self.keeper = Keeper.from_dict(state.host["keeper"], self.folder.path, write=self.devices.first)

    def _enter(self, epoch: int) -> None:
        """Change the program where a stage ends, and begin to measure anew where an epoch begins."""
        stage = self.stages.of_epoch(epoch)
        if stage != self.stage:
            averages = self.program.averages()
            self.stage, self.program = stage, self.stages.program(stage, averages)
            self.say(f"epoch {epoch + 1}: the backbone is open")
        if self.step == epoch * self.plan.steps:
            self.program.forget()

    def _train(self, epoch: int, batches: Iterator[Any]) -> None:
        """Run the epoch's steps that are left."""
        recipe, end = self.plan.recipe.train, (epoch + 1) * self.plan.steps
        self.line.describe(f"epoch {epoch + 1}/{recipe.epochs}")
        self.started = self.looked = time.perf_counter()
        self.waited, self.first = 0.0, self.step
        pending: deque[Any] = deque()
        while self.step < end:
            asked = time.perf_counter()
            batch = next(batches)
            self.waited += time.perf_counter() - asked
            pending.append(self.program.step(batch, self.plan.rates[self.step], self.step + 1))
            if len(pending) > _IN_FLIGHT:
                self.program.wait(pending.popleft())
            self.step += 1
            self.line.advance(self.plan.images)
            if time.perf_counter() - self.looked > _LOOK:
                self._look()
            due = self.step == end or (recipe.save_steps > 0 and self.step % recipe.save_steps == 0)
            asked = self.devices.ask(self.signal.signal or 0, wait=due)
            if asked and self.step < end:  # else the epoch is scored first, so that resuming need not
                asked = self.devices.ask(asked, wait=True)
                self._save(block=True)
                self._stop(asked)
            if due and self.step < end:
                self._save()
        self._check_loss()

    def _look(self) -> None:
        """Read what the device has measured, and show it."""
        if self.devices.hosts == 1:  # several look when they save, at the same step
            self._check_loss()
        self.looked = time.perf_counter()
        seconds = self.looked - self.started
        self.line.show(
            loss=self.program.mean_loss(self.step % self.plan.steps or self.plan.steps),
            data_wait=self.waited / seconds,
            device_memory=device_memory(),
        )

    def _check_loss(self) -> None:
        bad = self.program.bad_step()
        if not bad:
            return
        self.store.wait()
        epoch, rate = (bad - 1) // self.plan.steps + 1, self.plan.rates[bad - 1]
        kept = self.store.latest() if self.folder.begun else None
        left = f"the state after step {kept.step} is kept in {STATE}/" if kept else "no state was saved yet"
        raise UserError(
            f"the loss of step {bad} (epoch {epoch}, learning rate {rate:.2g}) is not finite; {left}. Try a lower "
            "--lr, --set optimizer.clip_norm=1, a longer optimizer.warmup_epochs, or --full-precision"
        )

    def _finish(self, epoch: int) -> Verdict:
        """Score the validation frames, keep what is good, and write everything down."""
        seconds = time.perf_counter() - self.started
        scores, loss = self.program.measured(self.plan.steps)
        self.line.describe("validate")
        measured = {"raw": self._measure()}
        if self.plan.recipe.optimizer.ema_decay:
            with self.program.averaged():
                measured["ema"] = self._measure()
        verdict = self.keeper.judge(epoch + 1, measured)
        row = history_row(
            epoch + 1,
            scores,
            loss,
            measured,
            float(self.plan.rates[self.step - 1]),
            verdict,
            seconds=seconds,
            images=(self.step - self.first) * self.plan.images,
            waited=self.waited,
            device_memory=device_memory(),
        )
        self.folder.record(row)
        for logger in self.loggers:
            logger.log(epoch + 1, row)
            self._warn(logger.problem)
        self.say(epoch_line(self.folder.history[-1], self.plan.recipe.train.epochs, verdict))
        if self.devices.first:
            self._write(measured, verdict)
        self._save(block=True)
        return verdict

    def _measure(self) -> tuple[Scores, float]:
        data = self.plan.recipe.data
        return validate(self.inference, self.plan.val, data.size, data.resize, self.devices)

    def _write(self, measured: dict[str, tuple[Scores, float]], verdict: Verdict) -> None:
        folder, segmenter = self.folder, self.stages.segmenter

        def save(path: Path, weights: str) -> None:
            with self.program.averaged() if weights == "ema" else nullcontext():
                save_segmenter(segmenter, path)

        self.keeper.keep(verdict, save)
        self._warn(self.keeper.problem)
        try:
            save(folder.path / "last.keras", "raw")
            if verdict.improved:
                with replacing(folder.path / "plots" / "per_class_iou.png") as path:
                    draw_per_class(path, measured[verdict.weights][0], self.plan.labels)
        except OSError as error:
            self._warn(f"{error.filename or folder.path} cannot be written: {error.strerror or error}")
        last = verdict.stop or verdict.epoch == self.plan.recipe.train.epochs
        self.plots.draw(folder.history, last=last)
        for problem in (self.plots.problem, folder.problem):
            self._warn(problem)

    def _save(self, block: bool = False) -> None:
        """Hand a copy of the state to the writer; without `block` it is left out while the one before is written."""
        self._check_loss()
        self.folder.begin()
        host = {"keeper": self.keeper.to_dict(), "history": self.folder.history}
        self.store.save(self.step, self.program.state(), host, block=block)
        self._warn(self.store.problem)
        self._warn(self.store.rejected)

    def _warn(self, problem: str | None) -> None:
        """Say each problem once."""
        if problem and problem not in self._told:
            self._told.add(problem)
            self.say(f"warning: {problem}")

    def _settle(self) -> None:
        """Wait for the state that is being written."""
        self.store.wait()
        self._warn(self.store.problem)
        self._warn(self.store.rejected)

    def _stop(self, signal: int) -> None:
        self._settle()
        saved = self.store.saved
        raise Stopped(signal, None if saved is None and self.devices.first else self.folder.path, saved)
