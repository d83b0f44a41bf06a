"""Which model of a run is the best, which ones are kept, and when to stop because none gets better."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from desertseg.data import Frame, read_mask
from desertseg.engine.history import plain
from desertseg.errors import UserError, suggest
from desertseg.files import replacing
from desertseg.labels import IGNORE_INDEX, LabelMap
from desertseg.metrics import Scores

BEST = "best.keras"
TOP = "top"
_MEANS = ("miou", "miou_all", "pixel_accuracy", "mean_accuracy", "dice", "frequency_weighted_iou")
_MONITORS = (*_MEANS, "min_iou", "loss")
_OF_CLASS = "iou:"
_TOP_NAME = re.compile(r"epoch-\d+--?\d+\.\d+\.keras")


def check_monitor(name: str, names: Sequence[str]) -> None:
    """Refuse a monitor that is no score.

    Args:
        name: "miou", "miou_all", "pixel_accuracy", "mean_accuracy", "dice", "frequency_weighted_iou", "min_iou" (the
            lowest IoU of a class in the truth), "iou:Rocks" (of one class) or "loss" (the lowest is best).
        names: the class names.

    Raises:
        UserError: another name; the message says the nearest right one.
    """
    known = [*_MONITORS, *(_OF_CLASS + n for n in names)]
    if name not in known:
        raise UserError(
            f"train.monitor is '{name}'{suggest(name, known)}; it is one of {', '.join(_MONITORS)}, or iou: and a "
            f"class ({', '.join(names)})"
        )


def monitor_value(name: str, scores: Scores, loss: float) -> float:
    """Return what the monitor `name` is of one validation; NaN where it has no value, as of a class that is absent."""
    if not scores.present.any():  # the loss of no pixel is 0, and no good one
        return math.nan
    if name == "loss":
        return float(loss)
    if name in _MEANS:
        return float(getattr(scores, name))
    if name == "min_iou":
        return float(scores.per_class_iou[scores.present].min())
    index = list(scores.names or ()).index(name.removeprefix(_OF_CLASS))
    return float(scores.per_class_iou[index]) if scores.present[index] else math.nan


def check_validation(frames: Sequence[Frame], labels: LabelMap, monitor: str = "miou") -> None:
    """Refuse validation frames on which the monitor has no value; masks are read until one pixel gives it one.

    Raises:
        UserError: no pixel of any mask has a class, or none has the class of "iou:NAME".
        DataError, LabelError: a mask on the way that cannot be read.
    """
    wanted = monitor.removeprefix(_OF_CLASS) if monitor.startswith(_OF_CLASS) else None
    index = None if wanted is None else labels.names.index(wanted)
    for frame in frames:
        if frame.mask is not None:
            found = read_mask(frame.mask, labels)
            if (found != IGNORE_INDEX).any() if index is None else (found == index).any():
                return
    if wanted is None:
        raise UserError(
            f"no pixel of the {len(frames)} validation masks has a class of label map '{labels.name}'; check the masks "
            "and --labels"
        )
    raise UserError(
        f"train.monitor '{monitor}' has no value: none of the {len(frames)} validation masks has a pixel of class "
        f"{wanted}; monitor another score, or validate on other frames"
    )


@dataclass(frozen=True)
class Kept:
    """A model that was worth keeping.

    Attributes:
        epoch: after which it was measured.
        value: of the monitor.
        weights: "raw" or "ema".
        miou: its mean IoU, whatever the monitor.
        definition: what that is a mean of.
    """

    epoch: int
    value: float
    weights: str
    miou: float
    definition: str

    @property
    def file(self) -> str:
        """Its file among several, below the run folder."""
        return f"{TOP}/epoch-{self.epoch:03d}-{self.value:.4f}.keras"


@dataclass(frozen=True)
class Verdict:
    """What an epoch was found to be.

    Attributes:
        epoch: which one.
        value: of the monitor, the better of raw and EMA weights; NaN where there is none.
        weights: whose it is, "raw" or "ema".
        improved: better than every epoch before.
        stop: so many epochs without a better one that the training should end.
        write: the files that this epoch's model belongs in.
    """

    epoch: int
    value: float
    weights: str
    improved: bool
    stop: bool
    write: tuple[Path, ...]


class Keeper:
    """Judges every epoch by one score, keeps best.keras and the best few models, and counts the epochs in vain.

    Args:
        monitor: the score, see `check_monitor`.
        names: the class names.
        keep: how many models are kept; with more than one, each is top/epoch-012-0.4105.keras.
        patience: epochs without a better one after which to stop; 0 never stops.
        folder: the run folder.
        write: whether models are written, as by one process of several.

    Attributes:
        best: the best model so far that was written, or None.
        kept: the best `keep` models, best first.
        waited: epochs since the best one, written or not: no disk decides how long a training is.
        problem: why the last model could not be written, in one line, or None.

    Raises:
        UserError: a monitor that there is not, or a number out of range.
    """

    def __init__(
        self,
        monitor: str,
        names: Sequence[str],
        *,
        keep: int = 1,
        patience: int = 0,
        folder: str | Path = ".",
        write: bool = True,
    ) -> None:
        check_monitor(monitor, names)
        if keep < 1:
            raise UserError(f"train.keep is {keep}; at least the best model is kept, so give 1 or more")
        if patience < 0:
            raise UserError(f"train.patience is {patience}; give a number of epochs, or 0 to train them all")
        self.monitor, self.names, self.count, self.patience = monitor, tuple(names), keep, patience
        self.folder, self.write = Path(folder), write
        self.best: Kept | None = None
        self.kept: list[Kept] = []
        self.waited = 0
        self._record: float | None = None  # the best value, whether or not its model could be written
        self.problem: str | None = None
        self._before: tuple[Kept | None, list[Kept]] = (None, [])

    @property
    def files(self) -> list[Path]:
        """The files that hold a kept model."""
        top = [self.folder / k.file for k in self.kept] if self.count > 1 else []
        return [self.folder / BEST, *top] if self.best else []

    def judge(self, epoch: int, measured: Mapping[str, tuple[Scores, float]]) -> Verdict:
        """Return what the epoch is worth; a score without a value is never better than another.

        Args:
            epoch: its number, from 1.
            measured: "raw" and perhaps "ema" -> (scores, mean loss) on the validation frames.
        """
        found = {w: monitor_value(self.monitor, *m) for w, m in measured.items()}
        weights = max(found, key=lambda w: self._rank(found[w]))  # the first of equals: raw
        scores = measured[weights][0]
        entry = Kept(epoch, found[weights], weights, float(scores.miou), scores.definition)
        improved = self._beats(entry.value, self.best.value if self.best else None)
        self._before = self.best, list(self.kept)
        self.best = entry if improved else self.best
        self.waited += 1
        if self._beats(entry.value, self._record):
            self.waited, self._record = 0, entry.value
        if math.isfinite(entry.value):
            ranked = sorted([*self.kept, entry], key=lambda k: self._rank(k.value), reverse=True)  # stable: older first
            self.kept = ranked[: self.count]
        several, stays = self.count > 1, entry in self.kept
        return Verdict(
            epoch,
            entry.value,
            weights,
            improved,
            stop=0 < self.patience <= self.waited,
            write=(
                *((self.folder / BEST,) if improved else ()),
                *((self.folder / entry.file,) if several and stays else ()),
            ),
        )

    def keep(self, verdict: Verdict, save: Callable[[Path, str], None]) -> None:
        """Write the model of an epoch wherever it belongs, then remove what fell out.

        What cannot be written is no best model: the keeper then goes on with the one before, and `problem` says why.

        Args:
            verdict: of the epoch that was judged last.
            save: writes the model with the "raw" or "ema" weights to a path, atomically.
        """
        self.problem = None
        if not self.write:
            return
        written: list[Path] = []
        try:
            for path in verdict.write:
                if written:
                    with replacing(path) as temporary:
                        shutil.copyfile(written[0], temporary)
                else:
                    save(path, verdict.weights)
                written.append(path)
            if written:
                self._tidy()
        except OSError as error:
            before, self.kept = self._before
            self.best = self.best if self.folder / BEST in written else before
            self.problem = f"{verdict.write[0]} cannot be written: {error.strerror or error}; training goes on"

    def _tidy(self) -> None:
        """Remove every model below top/ that is not kept, also those that a killed process left."""
        kept = set(self.files)
        top = self.folder / TOP
        for path in top.iterdir() if top.is_dir() else ():
            if _TOP_NAME.fullmatch(path.name) and path not in kept:
                path.unlink(missing_ok=True)

    def _beats(self, value: float, other: float | None) -> bool:
        return math.isfinite(value) and (other is None or self._rank(value) > self._rank(other))

    def _rank(self, value: float) -> float:
        """Return a number that is the larger the better, lowest for what has no value."""
        if not math.isfinite(value):
            return -math.inf
        return -value if self.monitor == "loss" else value

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the folder as plain JSON values."""
        return {
            "monitor": self.monitor,
            "names": list(self.names),
            "keep": self.count,
            "patience": self.patience,
            "waited": self.waited,
            "record": self._record,
            "best": plain(asdict(self.best)) if self.best else None,
            "kept": [plain(asdict(k)) for k in self.kept],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], folder: str | Path = ".", *, write: bool = True) -> Keeper:
        """Return the keeper that `to_dict` described; it judges on as if it had never been away."""
        count, patience = data["keep"], data["patience"]
        keeper = cls(data["monitor"], data["names"], keep=count, patience=patience, folder=folder, write=write)
        keeper.waited, keeper._record = data["waited"], data["record"]
        keeper.best = _kept(data["best"])
        keeper.kept = [k for k in map(_kept, data["kept"]) if k]
        return keeper


def _kept(data: Mapping[str, Any] | None) -> Kept | None:
    if data is None:
        return None
    kept = Kept(**data)
    return replace(kept, miou=math.nan) if kept.miou is None else kept
