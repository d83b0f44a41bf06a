"""The whole check: gather the files, look at each frame once, let every check say what it found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from desertseg.data.ahead import map_ahead
from desertseg.data.check.classes import ClassCheck
from desertseg.data.check.duplicates import DuplicateCheck
from desertseg.data.check.findings import Report, sort_findings
from desertseg.data.check.gather import Gathered, gather
from desertseg.data.check.ids import IdCheck
from desertseg.data.check.images import ImageCheck, text
from desertseg.data.check.interleaving import check_interleaving
from desertseg.data.check.look import Lookup, look
from desertseg.data.check.masks import MaskCheck
from desertseg.data.check.pairing import check_pairing
from desertseg.data.frame import Frame
from desertseg.labels import LabelMap, load_labels

DEFAULT_LABELS = "falcon"


def check_dataset(
    data: str | Path | Gathered,
    labels: str | Path | LabelMap | None = None,
    *,
    progress: Callable[[int], None] | None = None,
    threads: int | None = None,
) -> Report:
    """Return what is wrong with a data set: every image and mask is read once, and nothing is changed.

    Frames are read in threads and forgotten again: memory holds some hundred bytes of each.

    Args:
        data: the folder, in any layout that `find_frames` knows, or what `gather` returned of it.
        labels: the label map; None is the one of the layout, or else Falcon's.
        progress: called with the number of frames that are done since the last call.
        threads: how many frames are read at once; by default one a core.

    Raises:
        DataError: no such folder, no images in it, or several data sets.
        LabelError: no such label map.
    """
    found = data if isinstance(data, Gathered) else gather(data)
    label_map = load_labels(labels or found.labels or DEFAULT_LABELS)
    lookup = Lookup(label_map)
    images, masks, ids = ImageCheck(found), MaskCheck(found, label_map), IdCheck(found, lookup)
    classes, duplicates = ClassCheck(label_map), DuplicateCheck(found)
    checks = (images, masks, ids, classes, duplicates)
    for _, seen in map_ahead(partial(_look, lookup), found.frames(), threads):
        if isinstance(seen, Exception):
            raise seen
        for check in checks:
            check.add(seen)
        if progress:
            progress(1)
    findings, repairs = check_pairing(found)
    for check in checks:
        findings += check.finish()
    findings += check_interleaving(found.splits)
    for collected in (images, masks, ids, duplicates):
        repairs += collected.repairs
    return Report(
        data=found.root,
        labels=label_map.name,
        findings=sort_findings(findings),
        splits={split: len(frames) for split, frames in found.splits.items()},
        sizes={text(size): count for size, count in images.sizes.most_common()},
        classes=classes.shares(),
        repairs=tuple(repairs),
        examples={code: tuple(pairs) for code, pairs in duplicates.examples.items()},
        frames=found.count,
    )


def _look(lookup: Lookup, item: tuple[str, Frame]):
    return look(*item, lookup)
