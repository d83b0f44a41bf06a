"""Frames that are there more than once: the same pixels, or nearly the same picture, within and across splits."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np

from desertseg.data.check.findings import DROP, ERROR, NOTE, WARNING, Files, Finding, Repair
from desertseg.data.check.gather import Gathered
from desertseg.data.check.look import Seen
from desertseg.data.hashing import NEAR, find_near, find_nearest
from desertseg.errors import plural

_EXAMPLES = 6  # pairs that a page shows
_FEW = 0.02  # of a split's frames, below which near duplicates may be chance
_JUDGED = {"test": 0, "val": 1}  # what a split is for: of two the one that is scored keeps its copy

Place = tuple[str, Path, bytes]  # split, image, digest of the mask


class DuplicateCheck:
    """Keeps a digest and a hash of each image, 60 bytes, and compares them at the end.

    Args:
        found: the files, for their names.
    """

    def __init__(self, found: Gathered) -> None:
        self.found = found
        self.first: dict[bytes, list[Place]] = {}
        self.hashes: dict[str, list[int]] = {}
        self.images: dict[str, list[tuple[Path, bytes]]] = {}
        self.repairs: list[Repair] = []
        self.examples: dict[str, list[tuple[Path, ...]]] = {}

    def add(self, seen: Seen) -> None:
        if seen.image.error or seen.image.constant:
            return
        mask = b"" if seen.mask is None else seen.mask.digest
        self.first.setdefault(seen.image.digest, []).append((seen.split, seen.frame.image, mask))
        self.hashes.setdefault(seen.split, []).append(seen.image.hash)
        self.images.setdefault(seen.split, []).append((seen.frame.image, seen.image.digest))

    def finish(self) -> list[Finding]:
        """Return what there is to say."""
        return [*self._exact(), *self._near_across(), *self._near_within()]

    def _exact(self) -> list[Finding]:
        across, within, contrary = Files(), Files(), Files()
        for places in self.first.values():
            if len(places) < 2:
                continue
            places = sorted(places, key=lambda p: (_JUDGED.get(p[0], 2), p[0], p[1]))
            kept = places[0]
            for place in places[1:]:
                name, twin = self.found.relative(place[1]), self.found.relative(kept[1])
                leaks = place[0] != kept[0]
                (across if leaks else within).add(name, f"the same as {twin}")
                self._exemplify("same-image-across" if leaks else "same-image", kept[1], place[1])
                if place[2] != kept[2] and place[2] and kept[2]:
                    contrary.add(name, f"the same as {twin}, masks differ")
                    self._exemplify("same-image-other-mask", kept[1], place[1])
                if leaks or place[2] == kept[2] or not place[2]:
                    why = f"it is the same as {twin}"
                    self.repairs.append(Repair(DROP, place[1], why))
        findings = across.finding(
            ERROR,
            "same-image-across",
            f"{plural(across.count, 'image')} that two splits share to the last pixel: what was learnt is scored",
            "keep each in one split; take them out of train",
            fixable=True,
        )
        findings += contrary.finding(
            WARNING,
            "same-image-other-mask",
            f"{plural(contrary.count, 'copy')} of an image with another mask than the first: one of them is wrong",
            "look at both and keep the right one",
        )
        return findings + within.finding(
            WARNING,
            "same-image",
            f"{plural(within.count, 'image')} that a split holds more than once: they weigh more than others",
            "remove the copies",
            fixable=True,
        )

    def _near_across(self) -> list[Finding]:
        findings = []
        for one, other in combinations(sorted(self.hashes, key=lambda s: _JUDGED.get(s, 2)), 2):
            judged, seen = self.images[one], self.images[other]
            known = {digest for _, digest in seen}
            fresh = [i for i, (_, digest) in enumerate(judged) if digest not in known]
            if not fresh:
                continue
            hashes = np.array(self.hashes[one], np.uint64)[fresh]
            places, distances = find_nearest(hashes, np.array(self.hashes[other], np.uint64))
            files = Files()
            for k in np.argsort(distances, kind="stable"):
                if distances[k] > NEAR:
                    break
                image, twin = judged[fresh[k]][0], seen[places[k]][0]
                files.add(self.found.relative(image), _near(self.found.relative(twin), distances[k]))
                self._exemplify(f"near-{one}-{other}", image, twin)
            share = files.count / len(judged)
            findings += files.finding(
                WARNING if share >= _FEW else NOTE,
                f"near-{one}-{other}",
                f"{files.count:,} of {plural(len(judged), 'frame')} of split {one} ({100 * share:.0f} %) look nearly "
                f"like one of {other}",
                "cut the splits by scene or in blocks (desertseg split), so that a score is of places never seen",
            )
        return findings

    def _near_within(self) -> list[Finding]:
        pairs, total, files = 0, 0, Files()
        for split, hashes in self.hashes.items():
            near = find_near(np.array(hashes, np.uint64))
            images = self.images[split]
            total += len(images)
            pairs += near.count
            for (i, k), distance in zip(near.pairs, near.distances, strict=True):
                if images[i][1] == images[k][1]:
                    pairs -= 1
                elif len(files.first) < 20:
                    twin = self.found.relative(images[k][0])
                    files.add(self.found.relative(images[i][0]), _near(twin, distance))
                    self._exemplify("near", images[i][0], images[k][0])
        if not files:
            return []
        files.count = pairs
        message = f"{plural(pairs, 'pair')} of nearly equal frames within splits, of {plural(total, 'frame')}"
        fix = "nothing to do: frames of one drive are alike. Fewer of them would train as well and faster"
        return files.finding(NOTE, "near", message, fix)

    def _exemplify(self, code: str, *images: Path) -> None:
        kept = self.examples.setdefault(code, [])
        if len(kept) < _EXAMPLES:
            kept.append(images)


def _near(twin: str, distance: int) -> str:
    return f"near {twin}; {distance} of 64 bits differ"
