"""An exported file in a segmenter's place: its own runtime computes the logits, and the way from there is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from desertseg.data import Box, resize_labels
from desertseg.engine.compiled import compile_function
from desertseg.engine.inference import Inference, Views
from desertseg.errors import UserError
from desertseg.labels import LabelMap
from desertseg.models import Segmenter
from desertseg.models.familiarity import Familiarity
from desertseg.runtimes import Exported

_OF_CLASSES = {"labels", "finite"}  # what a file can be asked for whose answer are classes


class ExportedSegmenter:
    """What the engine reads of a model, from an exported file.

    It remembers the class shares of its training and its temperature, but not its features, so it cannot tell whether
    a frame is like those of the training.

    Args:
        exported: the loaded file.

    Attributes:
        exported: likewise.
        familiarity: what the file remembers of its training; None where it remembers nothing.
    """

    def __init__(self, exported: Exported) -> None:
        self.exported = exported
        self.familiarity = None if exported.memory is None else _remember(**exported.memory)

    @property
    def labels(self) -> LabelMap:
        """What the channels mean."""
        return self.exported.labels

    @property
    def num_classes(self) -> int:
        return self.exported.labels.num_classes

    @property
    def recipe(self) -> dict[str, Any] | None:
        """How it was trained."""
        return self.exported.recipe

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) that it takes where that is fixed, else the training size."""
        return self.exported.input_size or self.exported.size

    def __call__(self, images: Any, training: bool = False) -> np.ndarray:
        """Return float32 logits (B, H, W, C), or uint8 classes (B, H, W) where the file gives those, on the host."""
        return self.exported.run(np.asarray(images))


class ExportedInference(Inference):
    """`Inference` of an exported file.

    Its logits go through the same resizing and the same choice of the class as a segmenter's. Where the file gives
    classes, these are resized by nearest neighbour, and nothing else can be asked for.

    Args:
        segmenter: the file.
        views: as in `Inference`.

    Raises:
        UserError: views that the file cannot give.
    """

    segmenter: ExportedSegmenter

    def __init__(self, segmenter: ExportedSegmenter, views: Views | None = None) -> None:
        super().__init__(segmenter, views=views)
        exported = segmenter.exported
        if self.views.count > 1 and exported.answer == "labels":
            raise UserError(
                f"{exported.path} gives classes, and test-time augmentation averages probabilities; leave --tta out, "
                "or export the model with --answer logits"
            )
        if exported.input_size and self.views.scales != (1.0,):
            height, width = exported.input_size
            raise UserError(
                f"{exported.path} takes {height}x{width} alone, and this model's test-time augmentation looks at "
                f"{', '.join(f'{scale:g}' for scale in self.views.scales)} times the size; export it with free size"
            )

    @property
    def knows_probabilities(self) -> bool:  # type: ignore[override]
        return self.segmenter.exported.answer == "logits"

    def check(self, want: Sequence[str], bias: np.ndarray | None = None) -> None:
        refused = [name for name in want if name not in _OF_CLASSES]
        if not self.knows_probabilities and (refused or (bias is not None and np.any(bias))):
            raise UserError(
                f"{self.segmenter.exported.path} gives classes, so there are no probabilities for "
                f"{' and '.join(refused) or 'suppressed classes'}; export the model with --answer logits"
            )

    def labels(self, images: Any, box: Box, native_size: tuple[int, int]) -> Any:
        if self.knows_probabilities:
            return super().labels(images, box, native_size)
        return np.stack([resize_labels(seen[box.slices], native_size) for seen in self.segmenter(images)])

    def answer(
        self, images: Any, box: Box, native_size: tuple[int, int], want: Sequence[str] = ("labels",), **options: Any
    ) -> dict[str, Any]:
        if self.knows_probabilities:
            return super().answer(images, box, native_size, want, **options)
        self.check(want, options.get("bias"))
        labels = self.labels(images, box, native_size)
        found = {"labels": labels, "finite": np.ones(labels.shape[:2], bool)}
        return {name: found[name] for name in want}

    def _compile(self, box: Box, finish: Callable[..., Any]) -> Callable[..., Any]:
        program = compile_function(finish)
        return lambda images, *inputs: program(self._see(images, box), images, *inputs)


def _remember(class_shares: Sequence[float] | None = None, temperature: float | None = None) -> Familiarity:
    return Familiarity(
        class_shares=None if class_shares is None else np.asarray(class_shares, np.float64), temperature=temperature
    )


Model = Segmenter | ExportedSegmenter


def open_inference(model: Model, views: Views | None = None) -> Inference:
    """Return the way from a model's frames to answers, for a segmenter or an exported file."""
    return ExportedInference(model, views) if isinstance(model, ExportedSegmenter) else Inference(model, views=views)


def network_size(model: Model, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Return the (height, width) that the network sees: what is asked for, else what the model was trained at.

    Raises:
        UserError: neither is known, or an exported file takes another size alone.
    """
    chosen = size or model.size
    if chosen is None:
        raise UserError("this model carries no training size; give size=(height, width)")
    fixed = model.exported.input_size if isinstance(model, ExportedSegmenter) else None
    if fixed and tuple(chosen) != fixed:
        wanted, given = ("x".join(map(str, s)) for s in (fixed, chosen))
        raise UserError(f"{model.exported.path} takes {wanted} alone, not {given}; export it again with --size {given}")
    return chosen[0], chosen[1]
