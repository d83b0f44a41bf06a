"""Weights out of our own files: a whole `.keras`, or the `.weights.h5` of a segmenter, a network or a backbone."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np

from desertseg.labels import LabelMap
from desertseg.models.errors import ModelError
from desertseg.models.segmenter import Segmenter
from desertseg.models.weights.layout import Assignment, Tensors

Shapes = dict[str, tuple[int, ...]]
_MOST = 3  # how many cases of a mismatch a message lists


@dataclass(frozen=True)
class KerasWeights:
    """The weights of a saved model.

    Attributes:
        arrays: by the names that `named_variables` gives a network of the same architecture.
        num_classes: of its classifier; None for a backbone.
        network: the saved network (or backbone) itself.
        labels: of a saved segmenter, else None.
    """

    arrays: dict[str, np.ndarray]
    num_classes: int | None
    network: keras.Model
    labels: LabelMap | None = None


def named_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return every variable of a network by a name that each network of its architecture has for it.

    Args:
        model: a network, or a `Segmenter`, whose network is taken. A nested model's name goes before its variables':
            "backbone/stem_conv/kernel", "classifier/bias".
    """
    network = model.network if isinstance(model, Segmenter) else model
    found: dict[str, keras.Variable] = {}
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found |= {f"{layer.name}/{name}": variable for name, variable in named_variables(layer).items()}
        else:
            found |= {variable.path: variable for variable in layer.weights}
    if len(found) != len({id(v) for v in network.weights}):
        raise ModelError(f"network {network.name} has two layers of one name; give each its own")
    return found


def own_assignments(network: keras.Model, tensors: Tensors) -> list[Assignment]:
    """Return the assignments of a network's variables from arrays by the names of `named_variables`.

    Args:
        network: ours.
        tensors: of `read_keras`; a classifier with another count of classes is marked, so that it can be excused.
    """
    return [
        Assignment(variable, (name,), np.asarray, classifier=name.split("/")[-2].endswith("classifier"))
        for name, variable in named_variables(network).items()
    ]


def read_keras(path: str | Path) -> KerasWeights:
    """Return the weights in a `.keras` file that `desertseg fit`, or `save` of a segmenter or network, wrote.

    Raises:
        ModelError: no such file, no .keras file, or one that Keras cannot build.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"weights {path} do not exist; `desertseg fit` writes best.keras in its run folder")
    if not zipfile.is_zipfile(path):
        raise ModelError(f"weights {path} is not a .keras file, or is cut off; give the best.keras of a run")
    try:
        model = keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, AttributeError, OSError, ImportError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"weights {path} cannot be loaded ({reason}); give the best.keras of a run") from error
    network, labels = (model.network, model.labels) if isinstance(model, Segmenter) else (model, None)
    arrays = {name: np.array(variable, dtype="float32") for name, variable in named_variables(network).items()}
    return KerasWeights(arrays, getattr(network, "num_classes", None), network, labels)


def load_weights_h5(model: keras.Model, path: str | Path) -> str:
    """Fill a model from a `.weights.h5` that `save_weights` of such a model wrote; return the part that was filled.

    Args:
        model: a `Segmenter`, a network or a backbone.
        path: written by `save_weights` of the segmenter, of its network, or of its backbone.

    Returns:
        "segmenter", "network" or "backbone".

    Raises:
        ModelError: not such a file, or it does not fit exactly; then nothing was changed.
    """
    path = Path(path)
    found = _shapes(path)
    mismatches = []
    for part, target in _parts(model):
        expected = _expected_shapes(target)
        if found == expected:
            _load(target, path)
            return part
        mismatches.append((len(set(found) ^ set(expected)), part, expected))
    _, part, expected = min(mismatches, key=lambda mismatch: mismatch[0])
    raise ModelError(
        f"weights {path} do not fit, and nothing was loaded: against the model's {part}, "
        f"{_differences(found, expected)}; give a file that save_weights of the same architecture with the same "
        "classes wrote, or a run's best.keras"
    )


def _parts(model: keras.Model) -> list[tuple[str, keras.Model]]:
    parts: list[tuple[str, keras.Model]] = []
    if isinstance(model, Segmenter):
        parts.append(("segmenter", model))
        model = model.network
    backbone = getattr(model, "backbone", None)
    if backbone is None and not hasattr(model, "num_classes"):
        return [*parts, ("backbone", model)]
    parts.append(("network", model))
    return [*parts, ("backbone", backbone)] if isinstance(backbone, keras.Model) else parts


def _shapes(path: Path) -> Shapes:
    """Return the shape of every array in an HDF5 file of weights.

    Raises:
        ModelError: no such file, or another one.
    """
    shapes: Shapes = {}

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name] = item.shape

    try:
        with h5py.File(path, "r") as file:
            if "model_config" in file.attrs or "layer_names" in file.attrs:
                raise ModelError(
                    f"weights {path} were written by Keras 2; load them in Keras and save them by model.save_weights "
                    "under a name that ends in .weights.h5"
                )
            file.visititems(note)
    except FileNotFoundError as error:
        raise ModelError(f"weights {path} do not exist; check the path") from error
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelError(f"weights {path} is no HDF5 file, or is damaged or cut off; fetch it again") from error
    return shapes


def _expected_shapes(target: keras.Model) -> Shapes:
    """Return what `save_weights` of a model writes; Keras numbers a file's groups by rules of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "expected.weights.h5"
        target.save_weights(path)
        return _shapes(path)


def _load(target: keras.Model, path: Path) -> None:
    before = [np.array(variable) for variable in target.variables]
    try:
        target.load_weights(path)
    except (ValueError, OSError, KeyError, RuntimeError) as error:
        for variable, value in zip(target.variables, before, strict=True):
            variable.assign(value)
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"weights {path} cannot be read ({reason}), and nothing was loaded; fetch it again") from error


def _differences(found: Shapes, expected: Shapes) -> str:
    """Return what is missing, unexpected and of another shape, in words."""
    cases = {
        "missing": sorted(set(expected) - set(found)),
        "unexpected": sorted(set(found) - set(expected)),
        "of another shape": [
            f"{name} {found[name]} for {shape}" for name, shape in expected.items() if found.get(name, shape) != shape
        ],
    }
    parts = []
    for kind, names in cases.items():
        if names:
            more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
            parts.append(f"{len(names)} arrays {kind}: {', '.join(names[:_MOST])}{more}")
    return " | ".join(parts)
