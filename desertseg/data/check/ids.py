"""Which raw ids and colours the label map does not know, and which known mistake made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from desertseg.damage import known_damages, swap_bytes
from desertseg.data.check.findings import ERROR, SWAP, Files, Finding, Repair
from desertseg.data.check.gather import Gathered
from desertseg.data.check.look import Lookup, Seen
from desertseg.errors import plural
from desertseg.labels import LabelMap, available_labels, load_labels

_NOISE = 64  # unknown values of one mask, at least, and twice the classes: then they are no ids
_MOST_COLORS = 1000  # unknown ones that are counted
_TOLD = 8  # unknown ids that a message lists
_ORIGINAL = "take the original 16-bit masks and read them unchanged (cv2.IMREAD_UNCHANGED; tf.uint16)"
_SWAPPED = "bytes exchanged"
_INDICES = ("from 0", "from 1")


@dataclass
class _Unknown:
    """One unknown id or colour: how many pixels, in how many masks."""

    pixels: int = 0
    masks: int = 0

    def add(self, pixels: int) -> None:
        self.pixels += pixels
        self.masks += 1

    def __str__(self) -> str:
        return f"{plural(self.pixels, 'pixel')}, {plural(self.masks, 'mask')}"


class IdCheck:
    """Collects raw ids.

    Args:
        found: the files, for their names.
        lookup: the label map's tables.
    """

    def __init__(self, found: Gathered, lookup: Lookup) -> None:
        self.found, self.lookup, self.labels = found, lookup, lookup.labels
        self.ids: Counter[int] = Counter()
        self.unknown: dict[int, _Unknown] = {}
        self.colors: dict[tuple[int, int, int], _Unknown] = {}
        self.sets: dict[frozenset[int], Files] = {}  # what masks with unknown ids hold
        self.noisy, self.bad_colors = Files(), Files()
        self.swappable: list[tuple[frozenset[int], Repair]] = []
        self.repairs: list[Repair] = []

    def add(self, seen: Seen) -> None:
        if seen.mask is None or seen.frame.mask is None:
            return
        name = self.found.relative(seen.frame.mask)
        unknown = [i for i in seen.mask.ids if not self.lookup.is_known(i)]
        if len(unknown) >= max(_NOISE, 2 * self.labels.num_classes):
            self.noisy.add(name, f"{len(unknown):,} unknown values")
            return
        self.ids.update(seen.mask.ids)
        if unknown:
            self._add_unknown(seen.mask.ids, sorted(unknown), seen.frame.mask, name)
        if seen.mask.colors:
            self.bad_colors.add(name, plural(len(seen.mask.colors), "unknown colour"))
        for color, pixels in seen.mask.colors.items():
            if color in self.colors or len(self.colors) < _MOST_COLORS:
                self.colors.setdefault(color, _Unknown()).add(pixels)

    def _add_unknown(self, ids: dict[int, int], unknown: list[int], path: Path, name: str) -> None:
        held = frozenset(ids)
        pixels = sum(ids[i] for i in unknown)
        self.sets.setdefault(held, Files()).add(name, f"{_list(unknown)} ({plural(pixels, 'pixel')})")
        if all(self.lookup.is_known(int(i)) for i in swap_bytes(np.array([*held]))):
            self.swappable.append((held, Repair(SWAP, path, "its bytes were in the wrong order")))
        for raw in unknown:
            self.unknown.setdefault(raw, _Unknown()).add(ids[raw])

    def finish(self) -> list[Finding]:
        """Return what there is to say: causes that are recognised, then what is left."""
        findings, rest = self._explain_damage()
        findings += self.noisy.finding(
            ERROR,
            "noisy-ids",
            f"{_masks_hold(self.noisy)} far more values than '{self.labels.name}' has ids: resized by interpolation, "
            "compressed with loss, or no masks at all",
            "take the original masks; resize masks by nearest neighbour alone (cv2.INTER_NEAREST)",
        )
        if rest:
            findings.append(self._list_unknown(rest))
        return findings + self._color_findings()

    def _explain_damage(self) -> tuple[list[Finding], dict[frozenset[int], Files]]:
        """Give each mask with unknown ids to the mistake that explains the most of them."""
        rest, findings = dict(self.sets), []
        causes = _causes(self.labels)
        while rest:
            explained = {how: [s for s in rest if s <= values] for how, values in causes.items()}
            masks = {how: sum(rest[s].count for s in sets) for how, sets in explained.items()}
            how = max(masks, key=lambda h: masks[h], default="")
            if not how or not masks[how]:
                break
            files = Files()
            for held in explained[how]:
                files.merge(rest.pop(held), _list(sorted(held)))
            findings.append(self._damage_finding(how, files))
            if how == _SWAPPED:
                held_by = set(explained[how])
                self.repairs += [repair for held, repair in self.swappable if held in held_by]
            del causes[how]
        return findings, rest

    def _damage_finding(self, how: str, files: Files) -> Finding:
        hold, name = _masks_hold(files), self.labels.name
        if how == _SWAPPED:
            message = f"{_masks_hold(files)} ids with their two bytes exchanged: written in the wrong byte order"
            return files.finding(ERROR, "byte-order", message, "exchange them again", fixable=True)[0]
        if how in _INDICES:
            message = f"{hold} class indices ({how}) in place of the raw ids of '{name}'"
            fix = "export them with raw ids, or draft a label map of what they hold (desertseg labels new --from DIR)"
            return files.finding(ERROR, "class-indices", message, fix)[0]
        message = f"{hold} 16-bit ids that were read as 8 bit ({how}), so ids of '{name}' are lost"
        return files.finding(ERROR, "8-bit", message, _ORIGINAL)[0]

    def _list_unknown(self, rest: dict[frozenset[int], Files]) -> Finding:
        ids = sorted(i for i in frozenset().union(*rest) if not self.lookup.is_known(i))
        often = sorted(ids, key=lambda i: -self.unknown[i].pixels)[:_TOLD]
        told = ", ".join(f"{i} ({self.unknown[i]})" for i in sorted(often)) + _more(ids)
        files = Files()
        for taken in rest.values():
            files.merge(taken)
        known = f"label map '{self.labels.name}' does not define"
        message = f"{_masks_hold(files)} {'ids that' if len(ids) > 1 else 'an id that'} {known}: {told}"
        found = np.array([*self.ids])
        others = [n for n in available_labels() if n != self.labels.name and load_labels(n).knows(found)]
        use = f"use --labels {others[0]}" if others else "draft a label map of what they hold (desertseg labels new)"
        return files.finding(ERROR, "unknown-ids", message, f"{use}, or list {_list(ids)} under ignore")[0]

    def _color_findings(self) -> list[Finding]:
        if not self.colors:
            return []
        often = sorted(self.colors, key=lambda c: -self.colors[c].pixels)
        told = [f"{c} ({plural(self.colors[c].pixels, 'pixel')})" for c in often[:_TOLD]]
        what = f"{_masks_hold(self.bad_colors)} colours that no class of '{self.labels.name}' has"
        message = f"{what}: {', '.join(told)}{_more(often)}"
        fix = "use the label map whose colours these are, or take the masks of raw ids"
        if len(often) >= _NOISE:
            fix += "; so many colours come of smoothed borders or lossy compression"
        return self.bad_colors.finding(ERROR, "unknown-colors", message, fix)


def _causes(labels: LabelMap) -> dict[str, frozenset[int]]:
    """Return the values that each known mistake leaves."""
    ids = np.array([i for c in labels.classes for i in c.ids])
    causes = {how: frozenset(values.tolist()) for how, values in known_damages(ids).items()}
    if ids.max() > 255:
        causes[_SWAPPED] = frozenset(swap_bytes(ids).tolist())
    if sum(i < labels.num_classes for i in ids) > labels.num_classes / 2:
        return causes  # its ids are nearly indices themselves, so nothing tells one from the other
    for start, how in enumerate(_INDICES):
        causes[how] = frozenset([*range(start, start + labels.num_classes), *((0, 255) if start else (255,))])
    return causes


def _list(ids: Sequence[int]) -> str:
    return ", ".join(str(i) for i in ids[:_TOLD]) + _more(ids)


def _more(values: Sequence) -> str:
    return f" and {len(values) - _TOLD:,} more" if len(values) > _TOLD else ""


def _masks_hold(files: Files) -> str:
    return f"{plural(files.count, 'mask')} {'holds' if files.count == 1 else 'hold'}"
