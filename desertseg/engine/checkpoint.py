"""Model files: written whole or not at all, and read with a sentence when they are no such file."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import keras

from desertseg.backend import without_tensorflow
from desertseg.engine.exported import ExportedSegmenter, Model
from desertseg.engine.inference import Views
from desertseg.errors import UserError
from desertseg.files import replacing
from desertseg.labels import LabelMap, available_labels, load_labels
from desertseg.models import Segmenter
from desertseg.models.shipped import available_checkpoints, find_checkpoint
from desertseg.runtimes import is_exported, load_exported


def save_segmenter(segmenter: Segmenter, path: str | Path) -> None:
    """Write a segmenter as one `.keras` file, atomically."""
    with replacing(path) as temporary, without_tensorflow():
        segmenter.save(temporary)


def load_model(model: str | Path | Model) -> Model:
    """Return what answers frames: the segmenter in a `.keras` file or a shipped one by name, or an exported file.

    Raises:
        UserError: no such file, one that holds no model of desertseg, or one whose runtime is not installed.
    """
    if isinstance(model, (str, Path)) and is_exported(model):
        return ExportedSegmenter(load_exported(model))
    return model if isinstance(model, ExportedSegmenter) else load_segmenter(model)


def load_segmenter(model: str | Path | Segmenter) -> Segmenter:
    """Return the segmenter in a `.keras` file, or a shipped one by name; a loaded one is returned as it is.

    Raises:
        UserError: no such file, or a file that holds no `Segmenter`.
    """
    if isinstance(model, Segmenter):
        return model
    path = find_checkpoint(model)
    if is_exported(path):
        raise UserError(f"{path} is an exported model, which only answers; give the .keras file that it was made of")
    if not path.is_file():
        raise UserError(
            f"model {path} does not exist; `desertseg fit` writes one as best.keras in its run folder, and "
            f"{', '.join(available_checkpoints())} ships with the package"
        )
    if not zipfile.is_zipfile(path):
        raise UserError(
            f"model {path} is not a .keras file, or is cut off; give the best.keras that `desertseg fit` wrote"
        )
    try:
        loaded = keras.saving.load_model(path, compile=False)
    except (KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"model {path} cannot be loaded: {reason}; give the best.keras that `desertseg fit` wrote"
        ) from error
    if not isinstance(loaded, Segmenter):
        raise UserError(f"model {path} holds a {type(loaded).__name__}, not a desertseg Segmenter; give a best.keras")
    loaded.labels = _with_costs(loaded.labels)
    return loaded


def _with_costs(labels: LabelMap) -> LabelMap:
    """Give a file of before classes had costs those of the shipped map of its name, where it has the same classes."""
    if any(cost is not None for cost in labels.costs) or labels.name not in available_labels():
        return labels
    shipped = load_labels(labels.name).classes
    if [(c.name, c.ids) for c in shipped] != [(c.name, c.ids) for c in labels.classes]:
        return labels
    costed = (replace(mine, cost=its.cost) for mine, its in zip(labels.classes, shipped, strict=True))
    return replace(labels, classes=tuple(costed))


def recipe_views(segmenter: Model) -> Views:
    """Return the test-time augmentation of a model's recipe; where it has none, the picture and its mirror."""
    views = (segmenter.recipe or {}).get("inference", {})
    found = Views(tuple(views.get("scales", (1.0,))), views.get("flip", False))
    return found if found.count > 1 else Views(flip=True)


def fitting(segmenter: Model) -> str:
    """Return how frames were fitted into the training size, "letterbox" unless the recipe says otherwise."""
    return (segmenter.recipe or {}).get("data", {}).get("resize", "letterbox")
