"""What is wrong with the images themselves: unreadable, turned by EXIF, of one colour, of several sizes."""

from __future__ import annotations

from collections import Counter

from desertseg.data.check.findings import (
    DROP,
    ERROR,
    NOTE,
    STORED,
    UPRIGHT,
    WARNING,
    Files,
    Finding,
    Repair,
)
from desertseg.data.check.gather import Gathered
from desertseg.data.check.look import Seen
from desertseg.errors import plural

_ASPECT = 0.02  # relative difference from which two shapes are two


class ImageCheck:
    """Collects what is wrong with images.

    Args:
        found: the files, for their names.
    """

    def __init__(self, found: Gathered) -> None:
        self.found = found
        self.repairs: list[Repair] = []
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.split_sizes: dict[str, Counter[tuple[int, int]]] = {}
        self.unreadable, self.constant, self.deep, self.gray, self.alpha = (Files() for _ in range(5))
        self.turned, self.turned_against, self.turned_unclear = Files(), Files(), Files()
        self.colored = 0

    def add(self, seen: Seen) -> None:
        path, image = seen.frame.image, seen.image
        name = self.found.relative(path)
        if image.error:
            self.unreadable.add(name, image.error)
            self.repairs.append(Repair(DROP, path, "the image cannot be read"))
            return
        self.sizes[image.size] += 1
        self.split_sizes.setdefault(seen.split, Counter())[image.size] += 1
        if image.orientation != 1:
            self._add_turned(seen, name)
        if image.constant:
            self.constant.add(name)
            self.repairs.append(Repair(DROP, path, "the image is of one colour"))
        if image.depth > 8:
            self.deep.add(name, f"{image.depth} bits a channel")
        if image.gray:
            self.gray.add(name)
        self.colored += not image.gray
        if image.alpha:
            self.alpha.add(name)

    def _add_turned(self, seen: Seen, name: str) -> None:
        image, mask = seen.image, seen.mask
        what = f"orientation {image.orientation}"
        if mask is None or mask.error:
            self.turned.add(name, what)
            self.repairs.append(Repair(UPRIGHT, seen.frame.image, what))
        elif image.stored_size == image.size:
            self.turned_unclear.add(name, what)
        elif mask.size == image.stored_size:
            self.turned_against.add(name, f"{what}, but its mask is {text(mask.size)} as the pixels are stored")
            self.repairs.append(Repair(STORED, seen.frame.image, what))
        else:
            self.turned.add(name, what)
            self.repairs.append(Repair(UPRIGHT, seen.frame.image, what))

    def finish(self) -> list[Finding]:
        """Return what there is to say."""
        n = self.unreadable.count
        findings = self.unreadable.finding(
            ERROR,
            "unreadable-image",
            f"{plural(n, 'image')} cannot be read",
            "copy what is named again from where it came, or remove it with its mask",
            fixable=True,
        )
        findings += self._exif_findings()
        findings += self.constant.finding(
            WARNING,
            "constant-image",
            f"{plural(self.constant.count, 'image')} of one colour: a covered lens, or a failed export",
            "remove what is named, with its mask",
            fixable=True,
        )
        findings += self._size_findings()
        if self.gray and self.colored:
            findings += self.gray.finding(
                WARNING,
                "gray-image",
                f"{plural(self.gray.count, 'image')} without colour among {self.colored:,} with colour",
                "export them in colour, or keep them out: a model takes its colour cues from the others",
            )
        elif self.gray:
            findings += self.gray.finding(
                NOTE, "gray-image", "all images are gray; they are read as three equal channels", "nothing to do"
            )
        findings += self.deep.finding(
            NOTE,
            "deep-image",
            f"{plural(self.deep.count, 'image')} of 16 bits; of each value the upper 8 are read",
            "nothing to do, unless they look dark: then stretch them to 8 bits yourself",
        )
        return findings + self.alpha.finding(
            NOTE,
            "alpha-image",
            f"{plural(self.alpha.count, 'image')} with transparency, which is dropped",
            "nothing to do",
        )

    def _exif_findings(self) -> list[Finding]:
        findings = self.turned_against.finding(
            ERROR,
            "exif-mask",
            f"{plural(self.turned_against.count, 'image')} turned by EXIF, with a mask drawn on the pixels as stored",
            "remove the EXIF orientation, so that image and mask have one shape (exiftool -Orientation= FILES)",
            fixable=True,
        )
        findings += self.turned_unclear.finding(
            WARNING,
            "exif-unclear",
            f"{plural(self.turned_unclear.count, 'image')} turned by EXIF, and nothing tells whether the mask is too",
            "look at the masks laid over (desertseg view), then turn the pixels and remove the EXIF",
        )
        return findings + self.turned.finding(
            WARNING,
            "exif-image",
            f"{plural(self.turned.count, 'image')} upright by EXIF alone, which other programs may not follow",
            "write them upright (mogrify -auto-orient FILES)",
            fixable=True,
        )

    def _size_findings(self) -> list[Finding]:
        if len(self.sizes) < 2:
            return []
        shapes = _group_aspects(self.sizes)
        told = ", ".join(f"{text(size)} ({count:,})" for size, count in self.sizes.most_common(6))
        more = f" and {len(self.sizes) - 6} more" if len(self.sizes) > 6 else ""
        if len(shapes) == 1:
            message, fix = f"images of {len(self.sizes)} sizes, of one shape: {told}{more}", "nothing to do"
            return [Finding(NOTE, "sizes", message, fix, count=len(self.sizes))]
        message = f"images of {len(shapes)} shapes (width : height): {told}{more}"
        fix = "nothing, if they are of several cameras: they are fitted with bars. Else export them in one shape"
        return [Finding(WARNING, "aspect", message, fix, count=len(shapes))]


def text(size: tuple[int, int]) -> str:
    """Return (H, W) as people write it: "960x540"."""
    return f"{size[1]}x{size[0]}"


def _group_aspects(sizes: Counter[tuple[int, int]]) -> list[float]:
    shapes: list[float] = []
    for height, width in sizes:
        aspect = width / height
        if not any(abs(aspect / other - 1) < _ASPECT for other in shapes):
            shapes.append(aspect)
    return shapes
