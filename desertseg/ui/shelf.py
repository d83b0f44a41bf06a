"""The models that a page offers, loaded when they are first asked for, and one answer at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from desertseg.engine.answering import Answering
from desertseg.engine.checkpoint import load_model, recipe_views
from desertseg.engine.exported import Model, network_size, open_inference
from desertseg.engine.inference import Inference, suppression_bias
from desertseg.errors import UserError
from desertseg.labels import LabelMap
from desertseg.models.shipped import find_checkpoint
from desertseg.ui.given import Options

SHIPPED = "desert-small"
_KEPT = 4  # models in memory; the one that was not asked for longest leaves


class Opened:
    """A model in memory, with its compiled forward passes.

    Args:
        name: as it was given.
        model: a segmenter, or an exported file.
    """

    def __init__(self, name: str, model: Model) -> None:
        self.name, self.model = name, model
        self._inferences: dict[bool, Inference] = {}

    @property
    def labels(self) -> LabelMap:
        return self.model.labels

    def inference(self, tta: bool) -> Inference:
        """Return the forward pass, over the views of the model's recipe where `tta`."""
        if tta not in self._inferences:
            self._inferences[tta] = open_inference(self.model, recipe_views(self.model) if tta else None)
        return self._inferences[tta]

    def size(self, options: Options) -> tuple[int, int]:
        """Return (height, width) that the network sees.

        Raises:
            UserError: nobody says, or an exported file takes another one alone.
        """
        if options.size is None and self.model.size is None:
            raise UserError(f"model {self.name} carries no training size; give one under Options, such as 192x320")
        return network_size(self.model, options.size)

    def answering(self, options: Options, want: tuple[str, ...] = ()) -> Answering:
        """Return what answers under some options; a class to suppress that this model does not know is passed over.

        Args:
            options: the options.
            want: answers beside "labels", as in `Answering`.

        Raises:
            UserError: every class is suppressed, or the threshold is none.
        """
        known = [name for name in options.suppress if name in self.labels.names]
        bias = suppression_bias(self.labels, known)
        return Answering(self.inference(options.tta), bias=bias, want=want, confidence=options.confidence)


class Shelf:
    """The models of a page.

    Args:
        models: files, exported ones too, or names of shipped models; none for the shipped one.

    Attributes:
        names: of the models, as they were given, each once.
        is_shipped: nobody gave a model, so the shipped one serves.
        device: is held while a model answers, so that two users wait for each other and times mean something.
    """

    def __init__(self, models: Sequence[str | Path] = ()) -> None:
        self.is_shipped = not models
        self.names = tuple(dict.fromkeys(str(model) for model in models)) or (SHIPPED,)
        self.device = threading.RLock()
        self._opened: OrderedDict[str, Opened] = OrderedDict()

    @property
    def missing(self) -> tuple[str, ...]:
        """The models of which there is no file now."""
        return tuple(name for name in self.names if not find_checkpoint(name).exists())

    def open(self, name: str) -> Opened:
        """Return a model by its name.

        Raises:
            UserError: the page does not offer it, or its file holds no model.
        """
        if name not in self.names:
            raise UserError(f"this page offers no model '{name}'; start it with --model {name} to have it")
        with self.device:
            found = self._opened.get(name) or Opened(name, load_model(name))
            self._opened[name] = found
            self._opened.move_to_end(name)
            while len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
        return found
