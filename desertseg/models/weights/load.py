"""`load_weights_from`: a checkpoint that the user has, into a network of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from desertseg.labels import LabelMap
from desertseg.models.catalogue import describe_network, plain
from desertseg.models.errors import ModelError
from desertseg.models.segmenter import Segmenter
from desertseg.models.weights.keras_files import load_weights_h5
from desertseg.models.weights.layout import Assignment, Found, Layout, Tensors
from desertseg.models.weights.registry import LAYOUTS
from desertseg.models.weights.source import Source, is_keras_weights, open_source
from desertseg.models.weights.strict import apply_plan, make_plan, refuse

# Options of networks and backbones that change what is computed and no tensor's shape.
_TRACELESS = (
    "output_stride",
    "atrous_rates",
    "align_corners",
    "dilate_first_block",
    "position_offset",
    "position_antialias",
)


@dataclass(frozen=True)
class LoadedWeights:
    """What was loaded, and what was not and why.

    Attributes:
        source: file, folder or preset.
        layout: who wrote it, such as "torchvision ResNet".
        part: "network", "backbone" or "head".
        tensors: how many were used.
        excused: tensor -> why it was left out.
        reinitialized: our classifier's variables with fresh random weights, as the file's classes are others -> why.
        licence: of published weights, where it is known.
        notes: what fitted and may all the same not be what the user expects.
    """

    source: str
    layout: str
    part: str
    tensors: int
    excused: dict[str, str]
    reinitialized: dict[str, str]
    licence: str = ""
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return what there is to tell, for the terminal and the log."""
        lines = [f"weights: {self.part} from {self.source} ({self.layout}), {self.tensors} tensors"]
        lines += [f"weights: licence: {self.licence}"] if self.licence else []
        for reason in dict.fromkeys(self.excused.values()):
            names = [name for name, why in self.excused.items() if why == reason]
            lines.append(f"weights: left out {_listed(names)}: {reason}")
        lines += [f"weights: {layer} starts anew: {why}" for layer, why in self.reinitialized.items()]
        return lines + [f"weights: {note}" for note in self.notes]


def load_weights_from(
    model: keras.Model, source: Source, *, say: Callable[[str], object] | None = print
) -> LoadedWeights:
    """Return what was loaded after filling a model from a checkpoint; on a mismatch nothing is changed.

    Args:
        model: a `Segmenter`, a network of the zoo or a backbone of the zoo.
        source: a file (.safetensors, .pth, .pt, .bin, .keras, .weights.h5), a folder (Hugging Face, Keras Hub), a name
            ("imagenet", "dinov2", ...; `desertseg models NAME` lists them, and Keras Hub's ResNets), or
            tensors by name.
        say: called with each line about what was loaded and left out; None for silence.

    Raises:
        ModelError: no such source, one that no layout knows, or one that does not fit the model: the message lists
            missing, unexpected and wrongly shaped tensors.
    """
    if is_keras_weights(source):
        return _tell(_load_keras_weights(model, str(source)), say)
    network = model.network if isinstance(model, Segmenter) else model
    opened = open_source(source, network)
    layout, found = identify(opened.tensors, opened.name, opened.layout)
    target, part, tensors, excused = _choose_target(network, layout, found, opened.tensors)
    labels = model.labels if isinstance(model, Segmenter) else None
    restart = _are_others(labels, opened.labels)
    plan = make_plan(target, tensors, part.assign(target, tensors), part.excused, part.left, restart=restart)
    plan.excused |= excused
    refuse(plan, f"{opened.name} ({found.layout})", _advice(network, found))
    apply_plan(plan, target)
    kind = "head" if part.left else "network" if target is network and found.scope == "network" else "backbone"
    loaded = LoadedWeights(
        opened.name,
        found.layout,
        kind,
        len(plan.used) - len(plan.classifiers),
        plan.excused,
        {a.variable.path: _why(a, shape, labels, opened.labels) for a, shape in plan.classifiers},
        opened.licence,
        tuple(_notes(kind, target, found, None if plan.classifiers or opened.labels else labels)),
    )
    return _tell(loaded, say)


def _load_keras_weights(model: keras.Model, source: str) -> LoadedWeights:
    part = load_weights_h5(model, source)
    network = model.network if isinstance(model, Segmenter) else model
    filled = network.backbone if part == "backbone" and hasattr(network, "backbone") else network
    return LoadedWeights(source, "Keras weights", part, len(filled.weights), {}, {})


def describe_weights(source: Source) -> Found:
    """Return what a checkpoint holds and the zoo's names of the network that takes it.

    Raises:
        ModelError: no such source, or one that no layout knows.
    """
    opened = open_source(source, None)
    return identify(opened.tensors, opened.name, opened.layout)[1]


def identify(tensors: Tensors, name: str, given: Layout | None = None) -> tuple[Layout, Found]:
    """Return the layout that knows these tensors, and what they are.

    Args:
        tensors: by name.
        name: of the checkpoint, for the message.
        given: the layout, where the file's kind has told it.

    Raises:
        ModelError: none does.
    """
    for layout in LAYOUTS if given is None else (given,):
        found = layout.detect(tensors)
        if found is not None:
            return layout, found
    known = ", ".join(layout.name for layout in LAYOUTS)
    raise ModelError(f"{name} holds {len(tensors)} tensors ({_listed(list(tensors))}) in no layout known here: {known}")


def _choose_target(
    network: keras.Model, layout: Layout, found: Found, tensors: Tensors
) -> tuple[keras.Model, Layout, Tensors, dict[str, str]]:
    """Return what to fill, by which layout, from which tensors, and what was left out of them.

    A checkpoint of a whole network fills a network with another head from its backbone alone.
    """
    backbone = getattr(network, "backbone", network)
    if found.scope == "backbone":
        return backbone, layout, tensors, {}
    if layout.network is None or isinstance(network, layout.network) or layout.backbone is None:
        return network, layout, tensors, {}
    prefix, inner = layout.backbone
    inside = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    outside = {name: f"head of {found.model}" for name in tensors if not name.startswith(prefix)}
    return backbone, inner, inside, outside


def _tell(loaded: LoadedWeights, say: Callable[[str], object] | None) -> LoadedWeights:
    if say is not None:
        for line in loaded.lines():
            say(line)
    return loaded


def _are_others(labels: LabelMap | None, theirs: LabelMap | None) -> bool:
    """Return whether two label maps, as far as they are known, have other classes or another order of them."""
    return labels is not None and theirs is not None and labels.names != theirs.names


def _why(assignment: Assignment, shape: tuple[int, ...], labels: LabelMap | None, theirs: LabelMap | None) -> str:
    count = assignment.variable.shape[-1]
    if labels and theirs and shape[-1] == count:
        return f"the file's classes are those of '{theirs.name}', the model's those of '{labels.name}'"
    return f"the file has {shape[-1]} classes, the model {count}"


def _notes(kind: str, target: keras.Model, found: Found, labels: LabelMap | None) -> list[str]:
    """Return what fitted and may all the same not be what the user expects.

    Args:
        kind: what was filled: "network", "backbone" or "head".
        target: which was filled.
        found: in the file.
        labels: of the model, where the file's classifier was taken and did not say of which classes it is.
    """
    notes = _differences(target, found) if kind == found.scope else []
    if kind == "head":
        notes.append("the file holds the head alone; the backbone keeps its weights, random ones if none were loaded")
    if kind != "backbone" and labels:
        notes.append(f"its {found.num_classes} classes are taken for those of '{labels.name}', in the same order")
    return notes


def _differences(target: keras.Model, found: Found) -> list[str]:
    """Return what the file's network does otherwise although its weights fit: strides and rates leave no trace."""
    theirs, ours = {}, {}
    for part in (getattr(target, "backbone", None), target):
        for name, value in found.options.items():
            if name in _TRACELESS and hasattr(part, name) and plain(getattr(part, name)) != plain(value):
                theirs[name], ours[name] = value, getattr(part, name)
    if not theirs:
        return []
    told = [", ".join(f"{name}={value}" for name, value in options.items()) for options in (theirs, ours)]
    return [f"the file's network has {told[0]}, this one {told[1]}: its weights fit, but compute something else here"]


def _advice(network: keras.Model, found: Found) -> str:
    held = f"the backbone {found.backbone}" if found.scope == "backbone" else f"{found.model} on {found.backbone}"
    return f"the file holds {held}, the model is {describe_network(network)}"


def _listed(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
