"""Prediction: frames and videos in; masks, pictures and maps out, at each frame's own size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from desertseg.data import Frame
from desertseg.data.sources import Sources, find_sources, name_video
from desertseg.data.truth import find_truth
from desertseg.engine.answering import Answering
from desertseg.engine.checkpoint import load_model, recipe_views
from desertseg.engine.exported import Model, network_size, open_inference
from desertseg.engine.inference import suppression_bias
from desertseg.engine.labelling import Labelling
from desertseg.engine.outputs import DEFAULT_OUTPUTS, OutputFolder, check_outputs, needed_answers
from desertseg.engine.priors import Priors, training_shares
from desertseg.engine.video import VideoPrediction
from desertseg.errors import UserError
from desertseg.files import prepare_folder, remove_leftovers
from desertseg.labels import LabelMap


@dataclass(frozen=True)
class Predictions:
    """What `predict` wrote.

    Attributes:
        folder: holds a folder for each kind of output, see `desertseg.engine.outputs`.
        labels: the label map of the model.
        frames: names of the frames that were labelled, in order.
        masks: the raw-id masks in the order of the frames, where they were asked for.
        failures: (file, reason) of every frame that could not be read or answered.
        notes: what else went wrong: a comparison without its truth.
        images_per_second: whole throughput after the first batch, files included; nan where it is the only one.
        idle: share of that time in which the device waited for the host, 0 to 1; nan likewise.
        views: how many views of a frame were averaged.
        views_cost: what they took over the time of one view, measured; nan where there was one view or one batch.
        priors: the class shares that were estimated, where they were.
        unfamiliar: names of frames that lie outside of what the model was trained on.
        videos: what became of each video.
        look: the picture to look at first.
    """

    folder: Path
    labels: LabelMap
    frames: tuple[str, ...]
    masks: tuple[Path, ...] = ()
    failures: tuple[tuple[Path, str], ...] = ()
    notes: tuple[str, ...] = ()
    images_per_second: float = float("nan")
    idle: float = float("nan")
    views: int = 1
    views_cost: float = float("nan")
    priors: Priors | None = None
    unfamiliar: tuple[str, ...] = ()
    videos: tuple[VideoPrediction, ...] = ()
    look: Path | None = None

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for was read and answered."""
        return not self.failures and not any(video.damage or video.unanswered for video in self.videos)


def predict(
    model: str | Path | Model,
    sources: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    size: tuple[int, int] | None = None,
    batch_size: int = 4,
    tta: bool = False,
    outputs: Iterable[str] = DEFAULT_OUTPUTS,
    suppress: Sequence[str] = (),
    priors: str = "none",
    confidence: float | None = None,
    window: tuple[int, int] | None = None,
    overlap: float = 0.5,
    masks: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Predictions:
    """Return what was written of `sources`, and how it went.

    Args:
        model: a `.keras` file that `fit` wrote, the name of a shipped one, an exported file, or a loaded model.
        sources: image files, folders, globs, videos, "camera:0" and "-" in any mix, see `find_sources`.
        out: the folder to make.
        size: (height, width) that the network sees; when None the training size, or the window's own.
        batch_size: frames a step.
        tta: average over the views of the model's recipe, as in `evaluate`.
        outputs: kinds of output, see `desertseg.engine.outputs`.
        suppress: names of classes that are never predicted, because they are known to be absent.
        priors: "none", or "estimated": shift the answers to the class shares that a first pass over the frames finds.
        confidence: pixels whose class has a smaller probability become unknown, 255.
        window: (height, width) of a window that slides over each frame at its own size; by default the whole frame is
            brought to `size`.
        overlap: share of a window that the next one repeats, 0 to 1.
        masks: folder with the truth for "comparisons"; by default the masks beside the images, if any.
        overwrite: write into a folder that holds something, replacing files of the same name.
        progress: print a progress bar.

    Raises:
        UserError: no model, no frame, two frames of one name, an option that does not fit the model, or a folder that
            may not be written.
        OutputError: a file could not be written, such as on a full disk; what stands there is whole.
    """
    segmenter = load_model(model)
    seen = network_size(segmenter, size or (None if segmenter.size else window))
    if priors not in ("none", "estimated"):
        raise UserError(f"priors are '{priors}'; give 'none' or 'estimated'")
    found = find_sources(sources)
    _refuse_same_names(found)
    if priors == "estimated":
        training_shares(segmenter)  # says what is missing before a frame is read
        _refuse_videos_alone(found)
    kinds = check_outputs(outputs, segmenter.labels)
    answering = Answering(
        open_inference(segmenter, recipe_views(segmenter) if tta else None),
        bias=suppression_bias(segmenter.labels, suppress),
        want=needed_answers(kinds),
        confidence=confidence,
        window=window,
        window_size=size,
        overlap=overlap,
    )
    truth = _find_truth(found.images, masks) if "comparisons" in kinds else {}
    folder = OutputFolder(prepare_folder(out, overwrite), kinds, segmenter.labels)
    remove_leftovers(folder.folder)
    labelling = Labelling(answering, folder, truth, seen, batch_size, progress)
    frames = [Frame(image=path, mask=None, name=path.stem) for path in found.images]
    if priors == "estimated":
        labelling.estimate_priors(frames)
    if frames:
        labelling.label_frames(frames)
    for source in found.videos:
        labelling.label_video(source)
    return _summarise(labelling)


def _summarise(done: Labelling) -> Predictions:
    kinds, folder = done.folder.kinds, done.folder
    notes = _tell_without_truth(done.without_truth) if "comparisons" in kinds else []
    return Predictions(
        folder=folder.folder,
        labels=folder.labels,
        frames=tuple(done.names),
        masks=tuple(folder.path("masks", name) for name in done.names if "masks" in kinds),
        failures=tuple(done.failures),
        notes=(*notes, *done.notes),
        images_per_second=done.rate,
        idle=done.pipeline.idle,
        views=done.answering.inference.views.count,
        views_cost=done.views_cost,
        priors=done.priors,
        unfamiliar=tuple(done.unfamiliar),
        videos=tuple(done.videos),
        look=done.look,
    )


def _find_truth(images: Sequence[Path], masks: str | Path | None) -> dict[Path, Path]:
    truth = find_truth(images, masks)
    if images and not truth:
        where = f"in {masks}" if masks else "beside them"
        raise UserError(f"there is no truth for any of the frames {where}; give its folder with --masks")
    return truth


def _tell_without_truth(count: int) -> list[str]:
    if not count:
        return []
    one = count == 1
    return [
        f"{count} {'frame has' if one else 'frames have'} no truth, and no comparison was drawn of "
        f"{'it' if one else 'them'}"
    ]


def _refuse_videos_alone(found: Sources) -> None:
    if not found.images:
        raise UserError(
            "class shares are estimated from images, and there are none; give some frames of the video as images too, "
            "or name absent classes with --suppress"
        )


def _refuse_same_names(found: Sources) -> None:
    for kind in ([(p.stem, p) for p in found.images], [(name_video(v), v) for v in found.videos]):
        seen: dict[str, Path | int] = {}
        for name, source in kind:
            other = seen.setdefault(name, source)
            if other is not source:
                raise UserError(
                    f"{other} and {source} would both be written as {name}; use two output folders, or rename one"
                )
