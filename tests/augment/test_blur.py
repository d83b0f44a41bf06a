"""The blur, held against OpenCV."""

import cv2
import keras
import numpy as np

from desertseg.augment.blur import blur

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 12, 15, 3)).astype(np.float32)


def half_kernel(sigma, radius=4):
    kernel = cv2.getGaussianKernel(2 * radius + 1, sigma)[radius:, 0]
    return np.float32(kernel)


def run(images, kernel):
    return keras.ops.convert_to_numpy(blur(*(keras.ops.convert_to_tensor(a) for a in (images, kernel))))


def test_each_sample_is_blurred_by_its_own_width():
    sigmas = (0.6, 1.0, 1.5)
    result = run(IMAGES, np.stack([half_kernel(s) for s in sigmas]))
    for sample, sigma in enumerate(sigmas):
        expected = cv2.GaussianBlur(IMAGES[sample], (9, 9), sigma, borderType=cv2.BORDER_REFLECT)
        np.testing.assert_allclose(result[sample], expected, atol=1e-3)  # float32 sums of 81 values up to 255


def test_samples_without_blur_stay_as_they_are():
    off = np.eye(1, 5, dtype=np.float32)
    np.testing.assert_array_equal(run(IMAGES, np.tile(off, (3, 1))), IMAGES)
    np.testing.assert_array_equal(run(IMAGES, np.stack([off[0], half_kernel(1), off[0]]))[::2], IMAGES[::2])
