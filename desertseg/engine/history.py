"""A run's history: what one epoch leaves in history.csv and history.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from desertseg.memory import process_memory
from desertseg.metrics import Scores

if TYPE_CHECKING:
    from desertseg.engine.keeper import Verdict

#: The columns that measure the machine and not the training: two equal runs differ in them.
TIMED = frozenset({"seconds", "images_per_second", "data_wait", "memory_mib", "device_memory_mib"})


def history_row(
    epoch: int,
    train_scores: Scores,
    train_loss: float,
    measured: Mapping[str, tuple[Scores, float]],
    rate: float,
    verdict: Verdict,
    *,
    seconds: float,
    images: int,
    waited: float = 0.0,
    device_memory: int | None = None,
) -> dict[str, Any]:
    """Return the history row of an epoch as plain JSON values; what has no value is None.

    Its columns: epoch, loss and miou (training frames as augmented, by the weights of the moment), val_loss, val_miou
    and val_pixel_accuracy (validation frames at native size), the same of the EMA weights with ema_ before them if
    there are any, gap (miou - val_miou: how much better the training frames are known), monitor and weights (what the
    epoch was judged by, and on which weights), learning_rate, seconds, images_per_second, data_wait (the share of the
    time in which the step waited for data), memory_mib, device_memory_mib if it is known, and val_iou: class -> IoU.

    Args:
        epoch: its number, from 1.
        train_scores, train_loss: of the training frames.
        measured: "raw" and perhaps "ema" -> (scores, mean loss) on the validation frames.
        rate: the learning rate at the epoch's end.
        verdict: what the keeper said of the epoch.
        seconds: what the epoch took, without its validation.
        images: how many were trained on in that time.
        waited: seconds of them in which the step waited for data.
        device_memory: bytes in use on the device, None where the backend does not say.
    """
    scores, loss = measured["raw"]
    row: dict[str, Any] = {
        "epoch": epoch,
        "loss": train_loss,
        "miou": train_scores.miou,
        "val_loss": loss,
        "val_miou": scores.miou,
        "val_pixel_accuracy": scores.pixel_accuracy,
    }
    if "ema" in measured:
        averaged, averaged_loss = measured["ema"]
        row |= {
            "ema_val_loss": averaged_loss,
            "ema_val_miou": averaged.miou,
            "ema_val_pixel_accuracy": averaged.pixel_accuracy,
        }
    memory = process_memory()
    row |= {
        "gap": train_scores.miou - scores.miou,
        "monitor": verdict.value,
        "weights": verdict.weights,
        "learning_rate": rate,
        "seconds": round(seconds, 3),
        "images_per_second": round(images / seconds, 3) if seconds else math.nan,
        "data_wait": round(min(1.0, waited / seconds), 4) if seconds else math.nan,
        "memory_mib": math.nan if memory is None else round(memory / 2**20, 1),
    }
    if device_memory is not None:
        row["device_memory_mib"] = round(device_memory / 2**20, 1)
    row["val_iou"] = _per_class(scores)
    if "ema" in measured:
        row["ema_val_iou"] = _per_class(measured["ema"][0])
    return plain(row)


def epoch_line(row: Mapping[str, Any], epochs: int, verdict: Verdict) -> str:
    """Return what is said of an epoch, from its history row."""

    def number(key: str) -> str:
        return "-" if row.get(key) is None else f"{row[key]:.4f}"

    averaged = f" (EMA {number('ema_val_miou')})" if "ema_val_miou" in row else ""
    best = (" best" if verdict.weights == "raw" else " best, EMA") if verdict.improved else ""
    return (
        f"epoch {row['epoch']:3d}/{epochs}  loss {number('loss')}  train mIoU {number('miou')}  "
        f"val loss {number('val_loss')}  val mIoU {number('val_miou')}{averaged}  "
        f"pixel accuracy {number('val_pixel_accuracy')}  {row['images_per_second'] or 0:.1f} images/s{best}"
    )


def plain(value: Any) -> Any:
    """Return JSON values: NumPy numbers become Python's, and what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if hasattr(value, "item"):
        return plain(value.item())
    return float(value) if math.isfinite(value) else None


def scalars(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a row by name, those of a class as "val_iou/Rocks"; what has no value is left out."""
    found: dict[str, float] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{key}/{k}": v for k, v in scalars(value).items()}
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            found[key] = float(value)
    return found


def _per_class(scores: Scores) -> dict[str, Any]:
    return dict(zip(scores.names or (), scores.per_class_iou.tolist(), strict=True))
