"""Temporal flicker: how often a video's labels change although the scene does not.

Two figures, because neither says it alone.

*Changed* is the share of pixels whose label is another than one frame before. It assumes nothing, but a moving camera
changes labels rightly, so it compares models on one and the same video and says nothing of one alone.

*Flicker* takes the motion out. Every pixel is traced by optical flow into the frame before, and counts where it is
found there: inside the frame, with a gray value that differs by less than 10 of 255. Such a pixel shows the same piece
of the world twice, so if its label differs, the model was wrong at least once. Where nothing moves, these are the still
pixels. A label counts as the same if it stands within one pixel of the traced place, because flow, and the border of a
class, are no more exact than that. Measured on ten classes with fine grass: without this, true masks that move with the
picture would have a flicker of 5 %, with it 0.03 % or less; of patches 16 pixels wide that are wrong in one frame, 96 %
is found.

Where less than half of a frame can be followed, it has nothing to do with the one before: a cut, which counts in
neither figure. (Of unrelated frames up to 31 % looked alike, mostly sky; of a steady drive 85 % and more is found.)

Both are shares over the whole video, not means of the frames' shares. The idea is that of temporal consistency (Liu,
Shen, Yu, Wang, Efficient Semantic Video Segmentation with Per-frame Inference, ECCV 2020), as a share of pixels instead
of a mean IoU. The flow is DIS (Kroeger et al., Fast Optical Flow Using Dense Inverse Search, ECCV 2016). It has at most
480 pixels a side: of a larger frame every second, third ... pixel is traced, and a label may stand half that far away.
The labels themselves are compared at their own size.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import cv2
import numpy as np

_LONGEST_SIDE = 480
_SHORTEST_SIDE = 16  # below that DIS has no room to search
_FOLLOWED = 0.5  # share of a frame below which it follows a cut
_SAME_GRAY = 10  # of 255: more than a sensor's noise and a codec's errors, less than an edge


@dataclass(frozen=True)
class Flicker:
    """How much the labels of a video change from frame to frame, in counts that add up.

    Attributes:
        pairs: how many times two frames were compared.
        pixels, changed: compared in all, and those whose label is another.
        places, found, flickered: traced in all, found in the frame before, and those whose label is another there.
        cuts: frames that have nothing to do with the one before, which the other counts leave out.
    """

    pairs: int = 0
    pixels: int = 0
    changed: int = 0
    places: int = 0
    found: int = 0
    flickered: int = 0
    cuts: int = 0

    def __add__(self, other: Flicker) -> Flicker:
        return Flicker(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    @property
    def changed_share(self) -> float:
        """Share of pixels whose label is another than one frame before, 0 to 1; nan where nothing was compared."""
        return _share(self.changed, self.pixels)

    @property
    def share(self) -> float:
        """The same along the motion, among the places that were found; nan where none was."""
        return _share(self.flickered, self.found)

    @property
    def found_share(self) -> float:
        """Share of the places that were found in the frame before."""
        return _share(self.found, self.places)


def count_flicker(
    image_before: np.ndarray, labels_before: np.ndarray, image: np.ndarray, labels: np.ndarray
) -> Flicker:
    """Return the flicker of one frame against the one before it.

    Args:
        image_before, image: uint8 (H, W, 3) RGB.
        labels_before, labels: uint8 (H, W); 255, unknown, is a label like any other.
    """
    size = height, width = _grid_size(labels.shape)
    gray_before, gray = _shrink(image_before, size), _shrink(image, size)
    flow = np.zeros((*size, 2), np.float32)
    flow = np.asarray(cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(gray, gray_before, flow))
    column, row = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    x, y = flow[..., 0] + column, flow[..., 1] + row
    seen = cv2.remap(gray_before, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    found = cv2.absdiff(seen, gray) < _SAME_GRAY
    found &= (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    count = int(np.count_nonzero(found))
    if count < gray.size * _FOLLOWED:
        return Flicker(cuts=1)
    now = labels[_native(row, height, labels.shape[0]), _native(column, width, labels.shape[1])]
    rows, columns = _native(y, height, labels.shape[0]), _native(x, width, labels.shape[1])
    differs = found & (labels_before[rows, columns] != now)
    reach = max(1, -(-labels.shape[1] // (2 * width)))
    return Flicker(
        pairs=1,
        pixels=labels.size,
        changed=int(np.count_nonzero(labels != labels_before)),
        places=gray.size,
        found=count,
        flickered=_count_new(labels_before, rows[differs], columns[differs], now[differs], reach),
    )


def _count_new(before: np.ndarray, rows: np.ndarray, columns: np.ndarray, labels: np.ndarray, reach: int) -> int:
    """Return how many labels (N,) do not stand within `reach` pixels of (rows, columns) in `before`."""
    height, width = before.shape
    new = np.ones(len(labels), bool)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            new &= before[(rows + down).clip(0, height - 1), (columns + right).clip(0, width - 1)] != labels
    return int(new.sum())


def _grid_size(native_size: tuple[int, ...]) -> tuple[int, int]:
    height, width = native_size
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    return max(_SHORTEST_SIDE, round(height * scale)), max(_SHORTEST_SIDE, round(width * scale))


def _shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size[::-1], interpolation=cv2.INTER_AREA)


def _native(place: np.ndarray, grid: int, native: int) -> np.ndarray:
    """Return the native pixels under places of the grid, along one axis; what lies outside is brought to the edge."""
    return np.floor((place + 0.5) * (native / grid)).astype(np.intp).clip(0, native - 1)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
