"""What may be drawn for each sample, with which chances and strengths, and the draw of what one sample needs.

Draws are made on the host, as numbers that the compiled step applies. They are a pure function of (seed, epoch,
sample): the same on every backend, with any number of workers, before and after a resume. Every effect draws from a
stream of its own, so that switching one on changes no other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from desertseg.data.errors import DataError
from desertseg.data.geometry import draw_affine
from desertseg.data.letterbox import Box
from desertseg.data.photometric import draw_photometric
from desertseg.labels import LabelMap

#: The fields that are probabilities.
PROBABILITIES = (
    *("flip", "vertical_flip", "rare_crop", "color", "blur", "noise", "clahe"),
    *("shadow", "haze", "glare", "tint", "cutmix", "copy_paste"),
)
_ANGLES = {"rotate": 180.0, "shear": 60.0, "hue": 180.0}
_FACTORS = ("scale", "aspect", "gamma", "clahe_clip")
_AMOUNTS = ("brightness", "contrast", "saturation", "blur_sigma", "noise_std")
_STRENGTHS = ("shadow_strength", "haze_strength", "glare_strength", "tint_strength")


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of training frames; flip and scale act by default, the rest when it is asked for.

    A range is (lowest, highest), a probability 0 to 1.

    Attributes:
        flip: probability of a mirrored picture.
        vertical_flip: probability of a picture upside down.
        rotate: largest turn to either side in degrees, drawn uniformly.
        scale: range of the zoom, drawn log-uniformly. At 1.0 the whole frame just fits the training size, as
            `letterbox` fits it (or `stretch`); at 2.0 the crop shows half of the frame's height and width; at 0.5 the
            frame is drawn at half its size, with ignore around it.
        shear: largest slant of vertical lines to either side in degrees, drawn uniformly.
        aspect: range of the stretch of width over height, drawn log-uniformly; the area stays.
        rare_crop: probability that the crop is centred on a pixel of a rare class, where the frame has one.
        brightness: range of a factor on the colours.
        contrast: range of a factor on their distance from mid grey.
        saturation: range of a factor on their distance from gray.
        hue: largest turn of the hue to either side, in degrees.
        gamma: range of the exponent of the colours in [0, 1].
        color: probability that these five act on a sample.
        blur: probability of a Gaussian blur.
        blur_sigma: range of its standard deviation, in output pixels.
        noise: probability of Gaussian noise.
        noise_std: range of its standard deviation, of 255.
        clahe: probability of contrast-limited local equalisation.
        clahe_clip: range of its limit.
        shadow, haze, glare, tint: probabilities of a cast shadow, of dust, of a low sun, of another ground colour.
        shadow_strength, haze_strength, glare_strength, tint_strength: ranges within 0 to 1; 0 changes nothing.
        cutmix: probability that a box of the picture is taken from another sample, about a pixel of a rare class.
        copy_paste: probability that the rare classes of another sample are pasted where they lie there.
        rare_classes: names of the classes that are rare; if empty, those with less than 2 % of the labelled pixels.

    Raises:
        DataError: a value is out of range.
    """

    flip: float = 0.5
    vertical_flip: float = 0.0
    rotate: float = 0.0
    scale: tuple[float, float] = (0.75, 1.5)
    shear: float = 0.0
    aspect: tuple[float, float] = (1.0, 1.0)
    rare_crop: float = 0.0
    brightness: tuple[float, float] = (1.0, 1.0)
    contrast: tuple[float, float] = (1.0, 1.0)
    saturation: tuple[float, float] = (1.0, 1.0)
    hue: float = 0.0
    gamma: tuple[float, float] = (1.0, 1.0)
    color: float = 1.0
    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.3, 1.5)
    noise: float = 0.0
    noise_std: tuple[float, float] = (2.0, 12.0)
    clahe: float = 0.0
    clahe_clip: tuple[float, float] = (1.0, 4.0)
    shadow: float = 0.0
    haze: float = 0.0
    glare: float = 0.0
    tint: float = 0.0
    shadow_strength: tuple[float, float] = (0.3, 0.7)
    haze_strength: tuple[float, float] = (0.1, 0.5)
    glare_strength: tuple[float, float] = (0.2, 0.6)
    tint_strength: tuple[float, float] = (0.1, 0.4)
    cutmix: float = 0.0
    copy_paste: float = 0.0
    rare_classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in PROBABILITIES:
            self._check(name, 0 <= getattr(self, name) <= 1, "it is a probability, 0 to 1")
        for name, limit in _ANGLES.items():
            self._check(name, 0 <= getattr(self, name) <= limit, f"it is an angle in degrees, 0 to {limit:g}")
        for name in (*_FACTORS, *_AMOUNTS, *_STRENGTHS):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)  # TOML gives lists
            highest = 1.0 if name in _STRENGTHS else math.inf
            rule, example = ("above 0", "(0.75, 1.5)") if name in _FACTORS else ("0 or more", "(0.5, 1.5)")
            if name in _STRENGTHS:
                rule, example = "0 to 1", "(0.2, 0.5)"
            right = len(values) == 2 and 0 <= values[0] <= values[1] <= highest and math.isfinite(values[1])
            right = right and (values[0] > 0 or name not in _FACTORS)
            self._check(name, right, f"give (lowest, highest), both {rule}, such as {example}")
        self._check("rare_classes", not isinstance(self.rare_classes, str), "give a tuple of names")
        object.__setattr__(self, "rare_classes", tuple(self.rare_classes))

    def _check(self, name: str, right: bool, rule: str) -> None:
        if not right:
            raise DataError(f"augmentation {name} is {getattr(self, name)}; {rule}")

    @property
    def needs_index(self) -> bool:
        """Whether an effect must know which classes are in which frame, and where: a `ClassIndex` of the frames."""
        return max(self.rare_crop, self.cutmix, self.copy_paste) > 0

    def draw(
        self,
        seed: int,
        epoch: int,
        sample: int,
        load_size: tuple[int, int],
        size: tuple[int, int],
        *,
        box: Box | None = None,
        resize: str = "letterbox",
        points: Sequence[np.ndarray] = (),
        labels: LabelMap | None = None,
    ) -> dict[str, np.ndarray]:
        """Return the parameters of one sample that need no other sample; `BatchSource` adds those that do.

        Args:
            seed, epoch, sample: what the draw depends on, each 0 or more; `sample` is the frame's index.
            load_size: (height, width) of the canvas that the frame is loaded into.
            size: training size (height, width).
            box: where in the canvas the frame lies; all of it if None.
            resize: what scale 1.0 means, "letterbox" or "stretch".
            points: for each rare class that the frame has, float (K, 2) places (y, x) in [0, 1) of its pixels, for
                `rare_crop`.
            labels: the label map, for effects that act on the ground alone.

        Returns:
            "affine": float32 (2, 3), see `desertseg.data.geometry.draw_affine`, and a key for each photometric effect
            that is on, see `desertseg.data.photometric.draw_photometric`.
        """
        box = box or Box(0, 0, *load_size)
        affine = draw_affine(self, seed, epoch, sample, size, box, resize=resize, points=points)
        return {"affine": affine, **draw_photometric(self, labels, seed, epoch, sample, size)}
