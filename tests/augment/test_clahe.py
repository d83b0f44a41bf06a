"""CLAHE, held against OpenCV on the luminance."""

import cv2
import keras
import numpy as np
import pytest

from desertseg.augment.clahe import clahe


def picture(height, width, seed):
    """A picture with gradients and texture, float32 (H, W, 3)."""
    random = np.random.default_rng(seed)
    low = cv2.resize(random.uniform(40, 200, (4, 5, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(low + random.normal(0, 12, low.shape), 0, 255).astype(np.float32)


@pytest.mark.parametrize("size", [(48, 64), (45, 61)])  # tiles that fit, and tiles that reach beyond the border
def test_the_luminance_is_what_opencv_makes_of_it(size):
    clips = (1.0, 2.5, 40.0)  # the lowest limit, a usual one, and one that cuts nothing off
    images = np.stack([picture(*size, seed) for seed in range(3)])
    result = keras.ops.convert_to_numpy(clahe(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(clips)))
    for image, changed, clip in zip(images, result, clips, strict=True):
        luma = np.floor(image @ np.float32([0.299, 0.587, 0.114]) + 0.5).astype(np.uint8)
        expected = cv2.createCLAHE(clipLimit=clip, tileGridSize=(8, 8)).apply(luma).astype(np.float64) - luma
        # Where a mix of two levels lies half-way, OpenCV's sums and ours may round to either side.
        difference = np.abs(changed - image - expected[..., None])
        assert difference.max() < 1.01
        assert np.mean(difference > 0.5) < 0.02


def test_a_limit_of_0_changes_nothing():
    images = np.stack([picture(16, 24, seed) for seed in range(2)])
    for clips in ([0.0, 0.0], [0.0, 3.0]):
        result = clahe(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(np.float32(clips)))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(result)[0], images[0])
