"""What is wrong with the masks as files: unreadable, of another size, mixed in kind or depth, empty."""

from __future__ import annotations

from collections import Counter

import numpy as np

from desertseg.data.check.findings import (
    DROP,
    ERROR,
    NOTE,
    RAW_IDS,
    RESIZE,
    WARNING,
    Files,
    Finding,
    Repair,
)
from desertseg.data.check.gather import Gathered
from desertseg.data.check.images import text
from desertseg.data.check.look import COLORS, GRAY, GRAY_AS_RGB, PALETTE_COLORS, PALETTE_IDS, MaskFacts, Seen
from desertseg.errors import plural
from desertseg.labels import LabelMap

_KINDS = {
    GRAY: "one channel of raw ids",
    GRAY_AS_RGB: "raw ids in three equal channels",
    PALETTE_IDS: "an indexed PNG whose indices are raw ids",
    PALETTE_COLORS: "an indexed PNG whose colours are the classes'",
    COLORS: "the classes' colours",
}


class MaskCheck:
    """Collects what is wrong with mask files.

    Args:
        found: the files, for their names.
        labels: the label map.
    """

    def __init__(self, found: Gathered, labels: LabelMap) -> None:
        self.found, self.labels = found, labels
        self.repairs: list[Repair] = []
        self.unreadable, self.lossy, self.sized, self.ignored, self.single, self.ambiguous = (Files() for _ in range(6))
        self.by_kind: dict[str, Files] = {}
        self.by_depth: dict[int, Files] = {}
        self.odd: list[tuple[str, Repair]] = []  # what to do with a mask, should its kind be the rarer one
        self.resizable = 0
        self.total: Counter[str] = Counter()

    def add(self, seen: Seen) -> None:
        mask, path = seen.mask, seen.frame.mask
        if mask is None or path is None:
            return
        name = self.found.relative(path)
        if mask.error:
            (self.lossy if "is a JPEG" in mask.error else self.unreadable).add(name, mask.error)
            self.repairs.append(Repair(DROP, path, "the mask cannot be read"))
            return
        self.by_kind.setdefault(mask.kind, Files()).add(name)
        known = int(mask.classes.sum()) + mask.ignored == mask.size[0] * mask.size[1]
        if mask.kind in (GRAY, GRAY_AS_RGB) and known:  # else its ids are told of
            self.by_depth.setdefault(16 if mask.depth == 16 else 8, Files()).add(name)
        if mask.kind != GRAY and not mask.colors:
            self.odd.append((mask.kind, Repair(RAW_IDS, path, f"it was {_KINDS[mask.kind]}")))
        if mask.ambiguous:
            self.ambiguous.add(name)
        self._add_contents(mask, seen, name)
        if not seen.image.error and mask.size not in (seen.image.size, seen.image.stored_size):
            self._add_size(mask, seen, name)

    def _add_contents(self, mask: MaskFacts, seen: Seen, name: str) -> None:
        assert seen.frame.mask
        pixels = mask.size[0] * mask.size[1]
        if mask.ignored == pixels:
            self.ignored.add(name)
            self.repairs.append(Repair(DROP, seen.frame.mask, "all of its mask is ignored"))
        elif mask.classes.max(initial=0) == pixels:
            self.single.add(name, self.labels.names[int(np.argmax(mask.classes))])

    def _add_size(self, mask: MaskFacts, seen: Seen, name: str) -> None:
        assert seen.frame.mask
        (height, width), (rows, columns) = seen.image.size, mask.size
        turned = (rows, columns) == (width, height)
        self.sized.add(name, f"{text(mask.size)}, its image {text(seen.image.size)}{', turned' if turned else ''}")
        if abs(rows * width - columns * height) <= max(width, height):  # one shape, but for a rounded pixel
            self.resizable += 1
            self.repairs.append(Repair(RESIZE, seen.frame.mask, f"it was {text(mask.size)}"))
        else:
            self.repairs.append(Repair(DROP, seen.frame.mask, f"its mask is {text(mask.size)}, of another shape"))

    def finish(self) -> list[Finding]:
        """Return what there is to say."""
        findings = self.unreadable.finding(
            ERROR,
            "unreadable-mask",
            f"{plural(self.unreadable.count, 'mask')} cannot be read",
            "copy what is named again from where it came, or remove it with its image",
            fixable=True,
        )
        findings += self.lossy.finding(
            ERROR,
            "jpeg-mask",
            f"{plural(self.lossy.count, 'mask')} of JPEG, whose compression changes raw ids at every border",
            "take the original PNG masks; a JPEG cannot be turned back",
            fixable=True,
        )
        findings += self.sized.finding(
            ERROR,
            "mask-size",
            f"{plural(self.sized.count, 'mask')} of another size than the image",
            "give the masks that belong to the images; where only the resolution differs, resize by nearest neighbour",
            fixable=True,
        )
        findings += self.ignored.finding(
            WARNING,
            "all-ignored",
            f"{plural(self.ignored.count, 'mask')} without one labelled pixel: nothing there is learnt or scored",
            "label what is named, or remove it with its image",
            fixable=True,
        )
        findings += self.single.finding(
            NOTE,
            "one-class",
            f"{plural(self.single.count, 'mask')} with one class alone",
            "nothing, if the frames show nothing else; look at them (desertseg view)",
        )
        return [*findings, *self._kind_findings(), *self._depth_findings()]

    def _kind_findings(self) -> list[Finding]:
        findings = self.ambiguous.finding(
            WARNING,
            "palette",
            f"{plural(self.ambiguous.count, 'indexed mask')} can be read in two ways, as indices and as colours, which "
            "differ; desertseg takes the indices",
            "write them as one channel of raw ids",
        )
        usual = max(self.by_kind, key=lambda k: (self.by_kind[k].count, k == GRAY), default=GRAY)
        if len(self.by_kind) > 1:
            told = ", ".join(f"{_KINDS[kind]} ({files.count:,})" for kind, files in self.by_kind.items())
            odd = Files()
            for kind, files in self.by_kind.items():
                if kind != usual:
                    odd.merge(files, _KINDS[kind])
            message = f"masks of several kinds: {told}"
            fix = "write all as one channel of raw ids, so that every program reads the same"
            findings += odd.finding(WARNING, "mask-kind", message, fix, fixable=True)
            self.repairs += [repair for kind, repair in self.odd if kind != usual or usual != GRAY]
        elif usual != GRAY and self.by_kind:
            files = self.by_kind[usual]
            findings += files.finding(NOTE, "mask-kind", f"each mask holds {_KINDS[usual]}", "nothing to do")
        return findings

    def _depth_findings(self) -> list[Finding]:
        beyond = sum(max(c.ids) > 255 for c in self.labels.classes)
        shallow = self.by_depth.get(8)
        if not shallow or not beyond:
            return []
        others = self.by_depth.get(16, Files()).count
        among = f"{shallow.count:,} of {shallow.count + others:,} masks have" if others else "all masks have"
        message = (
            f"{among} 8 bits a pixel, which cannot hold the ids of {plural(beyond, 'class')} of '{self.labels.name}'"
        )
        fix = "take the original 16-bit masks and read them unchanged (cv2.IMREAD_UNCHANGED; tf.uint16)"
        return shallow.finding(WARNING, "mask-depth", message, fix)
