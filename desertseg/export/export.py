"""Exporting a model: make the file, load it back, compare, and only then keep it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desertseg import __version__
from desertseg.backend import default_backend
from desertseg.engine.checkpoint import fitting, load_segmenter
from desertseg.errors import UserError, suggest
from desertseg.export.carry import carry
from desertseg.export.child import write_program
from desertseg.export.comparison import Comparison, Reference, Timing
from desertseg.export.half import halve
from desertseg.export.openvino_files import write_openvino
from desertseg.export.place import check_place, placing
from desertseg.export.plan import Plan, make_plan, widened
from desertseg.export.quantise import find_calibration, quantise
from desertseg.models import Segmenter
from desertseg.runtimes import FORMATS, Exported, Facts, check_installed, load_exported, need, pack_pair

AGREEMENT = 0.999  # the share of pixels whose class must be the model's
_TESTED = 8  # every eighth pixel of a row has its logits in the self-test
_MADE_BY = {
    "onnx": ("tensorflow", "tf2onnx", "onnx", "onnxruntime"),
    "savedmodel": (),
    "litert": ("tensorflow", "ai_edge_litert"),
    "openvino": ("tensorflow", "tf2onnx", "onnx", "openvino"),
    "stablehlo": (),
}


class ExportError(UserError):
    """An exported file that does not answer as its model does."""


@dataclass(frozen=True)
class Export:
    """What `export_model` wrote.

    Attributes:
        path: the file or folder.
        plan: what it was asked for.
        runtime: what runs it, with version and device.
        bytes: its size on the disk.
        comparison: with the model, on procedural frames.
        timing: of one call of either.
        backend: that the model computed on.
    """

    path: Path
    plan: Plan
    runtime: str
    bytes: int
    comparison: Comparison
    timing: Timing
    backend: str


def export_model(
    model: str | Path | Segmenter,
    out: str | Path,
    format: str = "onnx",
    *,
    size: tuple[int, int] | str | None = None,
    batch: int | str | None = None,
    dtype: str = "float32",
    answer: str = "logits",
    input: str = "uint8",
    flip: bool = False,
    calibrate: str | Path | None = None,
    overwrite: bool = False,
    describe: Callable[[str], None] = lambda text: None,
) -> Export:
    """Return what was exported, after its own runtime has loaded it and answered as the model does.

    Where it does not, nothing is left at `out`. An int8 file is not held to that; its answers are told apart.

    Args:
        model: a `.keras` file, the name of a shipped one, or a loaded `Segmenter`.
        out: the file, or for a SavedModel the folder.
        format: "onnx", "savedmodel", "litert", "openvino" or "stablehlo".
        size: (height, width) of the images, or "free" for any; None is free, but for LiteRT and StableHLO the training
            size.
        batch: images a call, or "free"; None is free, but for LiteRT and StableHLO one.
        dtype: "float32", "float16", or for ONNX "int8".
        answer: "logits", float32 (B, h, w, C), or "labels", uint8 (B, h, w), with the choice of the class inside.
        input: the dtype of the images (B, h, w, 3), RGB in [0, 255]: "uint8" or "float32".
        flip: the mean over the image and its mirror, inside the file.
        calibrate: a folder of frames, for int8.
        overwrite: replace what is at `out`.
        describe: is told what is done now.

    Raises:
        UserError: a model, place, option or package that cannot be used; nothing was written.
        ExportError: the file answers otherwise than the model.
    """
    if dtype == "int8" and calibrate is None:
        raise UserError("int8 needs frames to calibrate on; give calibrate (--calibrate DIR) a folder of them")
    if dtype != "int8" and calibrate is not None:
        raise UserError(
            f"calibration is for int8, and the dtype is {dtype}; leave --calibrate out, or take --dtype int8"
        )
    prepare(format)
    make_plan(format, None, size, batch, dtype=dtype, answer=answer, input=input, flip=flip)
    place = check_place(out, format, overwrite)
    frames = find_calibration(calibrate) if calibrate is not None else []
    segmenter = load_segmenter(model)
    plan = make_plan(format, segmenter.size, size, batch, dtype=dtype, answer=answer, input=input, flip=flip)
    reference = Reference(segmenter, plan)
    with placing(place, format) as made:
        describe(f"making {format}")
        _make(segmenter, plan, made, frames, reference.size)
        images = reference.draw(reference.size, 1, first=5)
        answers = reference.run(images.repeat(plan.batch or 1, 0).astype(plan.input))[:1]
        carry(made, format, _tell(segmenter, plan, pack_pair(images, answers, _TESTED if answer == "logits" else 1)))
        describe("loading it back, and comparing")
        exported = load_exported(made)
        comparison = reference.compare(exported)
        _hold(comparison, plan, exported)
        describe("timing it beside Keras")
        timing = reference.time(exported)
        written = _count_bytes(made)
        runtime = exported.runtime
        del exported  # it may keep the files open that are moved now
    return Export(place, plan, runtime, written, comparison, timing, default_backend())


def prepare(format: str) -> None:
    """Refuse a format whose packages are not installed; import TensorFlow where this process is to run it.

    Raises:
        UserError: no such format, or a package is missing; the message says what to install.
    """
    if format not in FORMATS:
        raise UserError(f"there is no format '{format}'{suggest(format, FORMATS)}; there are {', '.join(FORMATS)}")
    purpose = f"{format} is made and checked"
    for package in _MADE_BY[format]:
        check_installed(package, None if package == "tensorflow" else FORMATS[format].extra, purpose)
    if format in ("savedmodel", "stablehlo"):
        need({"savedmodel": "tensorflow", "stablehlo": "jax"}[format], None, purpose)


def _make(segmenter: Segmenter, plan: Plan, made: Path, frames: list[Path], size: tuple[int, int]) -> None:
    """Write the file itself, by way of a float32 ONNX file where it is made of one."""
    by_way = plan.format == "openvino" or (plan.format == "onnx" and plan.dtype != "float32")
    if not by_way:
        write_program(segmenter, plan, made)
        return
    source = made.with_name("float32.onnx")
    write_program(segmenter, widened(plan), source)
    if plan.format == "openvino":
        write_openvino(source, plan, made)
    elif plan.dtype == "float16":
        halve(source, made)
    else:
        quantise(source, made, frames, size, plan.batch or 1, fitting(segmenter))


def _tell(segmenter: Segmenter, plan: Plan, self_test: str) -> Facts:
    """Return what the file says of itself."""
    return Facts(
        desertseg=__version__,
        labels=segmenter.labels,
        recipe=segmenter.recipe,
        size=segmenter.size,
        answer=plan.answer,
        input=plan.input,
        input_size=plan.size,
        batch=plan.batch,
        dtype=plan.dtype,
        flip=plan.flip,
        self_test=self_test,
        memory=_remember(segmenter),
    )


def _remember(segmenter: Segmenter) -> dict[str, Any] | None:
    """Return what an exported file can use of what the model remembers of its training."""
    known = segmenter.familiarity
    if known is None:
        return None
    shares = None if known.class_shares is None else [float(share) for share in known.class_shares]
    return {"class_shares": shares, "temperature": known.temperature}


def _hold(comparison: Comparison, plan: Plan, exported: Exported) -> None:
    """Refuse a file that does not answer as its model does."""
    if plan.dtype == "int8" or comparison.agreement >= AGREEMENT:
        return
    by = "" if comparison.max_difference is None else f", and logits differ by up to {comparison.max_difference:.3g}"
    raise ExportError(
        f"{exported.runtime} gives {comparison.agreement:.3%} of the pixels the model's class, and at least "
        f"{AGREEMENT:.1%} must have it{by}; nothing was written"
    )


def _count_bytes(path: Path) -> int:
    """Return the bytes of a file with those of its name beside it, or of a folder."""
    files = path.rglob("*") if path.is_dir() else path.parent.glob(f"{path.stem}.*")
    return sum(file.stat().st_size for file in files if file.is_file())
