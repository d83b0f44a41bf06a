"""desertseg labels every pixel of an off-road desert frame.

Public names are imported when they are first used (PEP 562), so that `import desertseg` needs no Keras and no backend.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "desertseg.errors": ("Stopped", "UserError"),
    "desertseg.backend": ("use_backend",),
    "desertseg.labels": ("IGNORE_INDEX", "LabelClass", "LabelMap", "available_labels", "load_labels"),
    "desertseg.label_mapping": ("LabelMapping", "load_mapping"),
    "desertseg.data": (
        "Augmentation",
        "Frame",
        "count_batches",
        "find_frames",
        "find_layout",
        "load_dataset",
        "read_image",
        "read_mask",
    ),
    "desertseg.data.check": ("check_dataset",),
    "desertseg.data.synthetic": ("write_dataset",),
    "desertseg.augment": ("resample",),
    "desertseg.losses": (
        "BoundaryCrossEntropy",
        "CrossEntropy",
        "Dice",
        "Focal",
        "FocalDice",
        "LovaszSoftmax",
        "OHEM",
        "Tversky",
        "WeightedSum",
    ),
    "desertseg.weighting": ("class_weights",),
    "desertseg.metrics": ("MeanIoU", "Scores"),
    "desertseg.models": ("Segmenter", "build_segmenter", "describe_weights", "load_weights_from"),
    "desertseg.engine": (
        "Recipe",
        "benchmark",
        "compare",
        "evaluate",
        "evaluate_masks",
        "fit",
        "gap",
        "load_model",
        "load_recipe",
        "load_segmenter",
        "predict",
        "resume",
        "write_report",
    ),
    "desertseg.export": ("export_model",),
    "desertseg.runtimes": ("Exported", "load_exported"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]

if TYPE_CHECKING:
    from desertseg.augment import resample as resample
    from desertseg.backend import use_backend as use_backend
    from desertseg.data import Augmentation as Augmentation
    from desertseg.data import Frame as Frame
    from desertseg.data import count_batches as count_batches
    from desertseg.data import find_frames as find_frames
    from desertseg.data import find_layout as find_layout
    from desertseg.data import load_dataset as load_dataset
    from desertseg.data import read_image as read_image
    from desertseg.data import read_mask as read_mask
    from desertseg.data.check import check_dataset as check_dataset
    from desertseg.data.synthetic import write_dataset as write_dataset
    from desertseg.engine import Recipe as Recipe
    from desertseg.engine import load_model as load_model
    from desertseg.engine import load_recipe as load_recipe
    from desertseg.engine import load_segmenter as load_segmenter
    from desertseg.engine.benchmark import benchmark as benchmark
    from desertseg.engine.compare import compare as compare
    from desertseg.engine.evaluate import evaluate as evaluate
    from desertseg.engine.evaluate_masks import evaluate_masks as evaluate_masks
    from desertseg.engine.fit import fit as fit
    from desertseg.engine.fit import resume as resume
    from desertseg.engine.gap import gap as gap
    from desertseg.engine.predict import predict as predict
    from desertseg.engine.report import write_report as write_report
    from desertseg.errors import Stopped as Stopped
    from desertseg.errors import UserError as UserError
    from desertseg.export import export_model as export_model
    from desertseg.label_mapping import LabelMapping as LabelMapping
    from desertseg.label_mapping import load_mapping as load_mapping
    from desertseg.labels import IGNORE_INDEX as IGNORE_INDEX
    from desertseg.labels import LabelClass as LabelClass
    from desertseg.labels import LabelMap as LabelMap
    from desertseg.labels import available_labels as available_labels
    from desertseg.labels import load_labels as load_labels
    from desertseg.losses import OHEM as OHEM
    from desertseg.losses import BoundaryCrossEntropy as BoundaryCrossEntropy
    from desertseg.losses import CrossEntropy as CrossEntropy
    from desertseg.losses import Dice as Dice
    from desertseg.losses import Focal as Focal
    from desertseg.losses import FocalDice as FocalDice
    from desertseg.losses import LovaszSoftmax as LovaszSoftmax
    from desertseg.losses import Tversky as Tversky
    from desertseg.losses import WeightedSum as WeightedSum
    from desertseg.metrics import MeanIoU as MeanIoU
    from desertseg.metrics import Scores as Scores
    from desertseg.models import Segmenter as Segmenter
    from desertseg.models import build_segmenter as build_segmenter
    from desertseg.models import describe_weights as describe_weights
    from desertseg.models import load_weights_from as load_weights_from
    from desertseg.runtimes import Exported as Exported
    from desertseg.runtimes import load_exported as load_exported
    from desertseg.weighting import class_weights as class_weights


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'desertseg' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
