"""The affine resampling, held against a float64 reference and OpenCV."""

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.augment import AugmentError, resample

HEIGHT, WIDTH = 13, 17


def compiled(size):
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(lambda images, affine, labels: resample(images, affine, size, labels))
    import tensorflow as tf

    return tf.function(lambda images, affine, labels: resample(images, affine, size, labels), jit_compile=True)


def run(images, affine, size, labels=None, how=None):
    """Return resample's result as NumPy arrays."""
    tensors = [keras.ops.convert_to_tensor(v) for v in (images, np.float32(affine)) if v is not None]
    if labels is None:
        return keras.ops.convert_to_numpy(resample(*tensors, size))
    labels = keras.ops.convert_to_tensor(labels)
    pair = how(*tensors, labels) if how else resample(*tensors, size, labels)
    return tuple(keras.ops.convert_to_numpy(v) for v in pair)


def reference(image, affine, size, labels, ignore=255):
    """One frame in float64, pixel by pixel; also each point's distance to the border and to a tie of the labels."""
    height, width = labels.shape
    out, nearest, margin = np.zeros((*size, 3)), np.full(size, ignore, labels.dtype), np.zeros(size)
    for row, column in np.ndindex(*size):
        x, y = affine.astype(np.float64) @ (column, row, 1)
        ties = [abs((v + 0.5) % 1 - 0.5) for v in (x + 0.5, y + 0.5)]
        margin[row, column] = min(ties)  # the border lies on half-integers, as the ties do
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            continue
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        nearest[row, column] = labels[min(int(y + 0.5), height - 1), min(int(x + 0.5), width - 1)]
        for v, wv in ((int(y), 1 - y % 1), (min(int(y) + 1, height - 1), y % 1)):
            for u, wu in ((int(x), 1 - x % 1), (min(int(x) + 1, width - 1), x % 1)):
                out[row, column] += wv * wu * image[v, u]
    return out, nearest, margin


@pytest.fixture
def frames():
    """Images uint8 (2, 13, 17, 3) and labels uint8 (2, 13, 17) with ignore."""
    rng = np.random.default_rng(3)
    labels = rng.choice(np.array([0, 3, 9, 255], np.uint8), (2, HEIGHT, WIDTH))
    return rng.integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8), labels


def tiled(matrix, batch=2):
    return np.tile(np.float32(matrix), (batch, 1, 1))


IDENTITY = [[1, 0, 0], [0, 1, 0]]
MIRROR = [[-1, 0, WIDTH - 1], [0, 1, 0]]


def test_identity_changes_nothing(frames):
    images, labels = frames
    out, out_labels = run(images, tiled(IDENTITY), (HEIGHT, WIDTH), labels)
    assert out.dtype == np.float32
    assert out_labels.dtype == np.uint8
    np.testing.assert_array_equal(out, images)
    np.testing.assert_array_equal(out_labels, labels)


def test_flip_is_exact_for_image_and_labels(frames):
    images, labels = frames
    out, out_labels = run(images, tiled(MIRROR), (HEIGHT, WIDTH), labels)
    np.testing.assert_array_equal(out, images[:, :, ::-1])
    np.testing.assert_array_equal(out_labels, labels[:, :, ::-1])


def test_each_frame_has_its_own_map(frames):
    images, labels = frames
    out, out_labels = run(images, np.float32([IDENTITY, MIRROR]), (HEIGHT, WIDTH), labels)
    np.testing.assert_array_equal(out, [images[0], images[1][:, ::-1]])
    np.testing.assert_array_equal(out_labels, [labels[0], labels[1][:, ::-1]])


def test_a_crop_is_the_slice(frames):
    images, labels = frames
    out, out_labels = run(images, tiled([[1, 0, 5], [0, 1, 2]]), (4, 6), labels)
    np.testing.assert_array_equal(out, images[:, 2:6, 5:11])
    np.testing.assert_array_equal(out_labels, labels[:, 2:6, 5:11])


def test_an_enlarged_crop_is_the_resized_slice(frames):
    # Output pixel i lies at (i + 0.5) / 2 - 0.5 of a crop that starts at (5, 2).
    images, labels = frames
    out, out_labels = run(images, tiled([[0.5, 0, 4.75], [0, 0.5, 1.75]]), (8, 12), labels)
    whole = [cv2.resize(image.astype(np.float32), (2 * WIDTH, 2 * HEIGHT)) for image in images]
    np.testing.assert_allclose(out, np.array(whole)[:, 4:12, 10:22], atol=1e-3)
    np.testing.assert_array_equal(out_labels, labels[:, 2:6, 5:11].repeat(2, 1).repeat(2, 2))


def test_outside_is_black_and_ignored_and_half_a_pixel_is_inside(frames):
    images, labels = frames
    for shift, inside in ((-0.5, True), (-0.51, False), (-3.0, False)):
        out, out_labels = run(images, tiled([[1, 0, shift], [0, 1, 0]]), (HEIGHT, 1), labels)
        np.testing.assert_array_equal(out[:, :, 0], images[:, :, 0] if inside else 0 * images[:, :, 0])
        np.testing.assert_array_equal(out_labels[:, :, 0], labels[:, :, 0] if inside else 255)
    for shift, inside in ((HEIGHT - 0.5, True), (HEIGHT - 0.49, False), (1e9, False)):
        out, out_labels = run(images, tiled([[1, 0, 0], [0, 1, shift]]), (1, WIDTH), labels)
        np.testing.assert_array_equal(out[:, 0], images[:, -1] if inside else 0 * images[:, -1])
        np.testing.assert_array_equal(out_labels[:, 0], labels[:, -1] if inside else 255)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    angle=st.floats(-3.2, 3.2),
    scale=st.floats(0.3, 3),
    stretch=st.floats(0.7, 1.4),
    shift=st.tuples(st.floats(-6, 20), st.floats(-6, 20)),
)
def test_any_map_equals_the_reference_compiled_and_eager(angle, scale, stretch, shift):
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    labels = rng.choice(np.array([0, 3, 9, 255], np.uint8), (1, HEIGHT, WIDTH))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    affine = np.float32([[[cos, -sin * stretch, shift[0]], [sin, cos * stretch, shift[1]]]])
    expected, expected_labels, margin = reference(images[0], affine[0], (9, 11), labels[0])
    clear = margin > 1e-4  # float32 places a point to about 1e-5 of a pixel; nearer than that it may fall either way
    for how in (COMPILED, None):
        out, out_labels = run(images, affine, (9, 11), labels, how)
        np.testing.assert_allclose(out[0][clear], expected[clear], atol=0.02)  # 255 grey levels x 1e-5 x slope
        np.testing.assert_array_equal(out_labels[0][clear], expected_labels[clear])
        assert set(np.unique(out_labels)) <= {*np.unique(labels), 255}


COMPILED = compiled((9, 11))


@pytest.mark.parametrize("angle", [7.3, -31.0])
def test_equals_opencv_away_from_the_border(angle):
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (60, 80, 3), np.uint8), (0, 0), 2)
    labels = cv2.resize(rng.integers(0, 10, (6, 8), np.uint8), (80, 60), interpolation=cv2.INTER_NEAREST)
    matrix = cv2.getRotationMatrix2D((31.3, 22.7), angle, 0.83)
    out, out_labels = run(image[None], matrix[None], (48, 64), labels[None])
    flags = cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(image.astype(np.float32), matrix, (64, 48), flags=flags | cv2.INTER_LINEAR)
    # OpenCV knows a position to 1/32 of a pixel; the blurred picture changes by at most 40 a pixel.
    x, y = np.einsum("ij,jhw->ihw", matrix, np.stack([*np.meshgrid(np.arange(64), np.arange(48)), np.ones((48, 64))]))
    away = (x > 1) & (x < 78) & (y > 1) & (y < 58)
    assert away.mean() > 0.7
    slope = max(np.abs(np.diff(image.astype(int), axis=k)).max() for k in (0, 1))
    np.testing.assert_allclose(out[0][away], expected[away], atol=2 * slope / 32 + 0.01)
    assert np.abs(out[0][away] - expected[away]).mean() < 0.1
    nearest = cv2.warpAffine(labels, matrix, (64, 48), flags=flags | cv2.INTER_NEAREST)
    tie = np.minimum(abs(x % 1 - 0.5), abs(y % 1 - 0.5)) < 1 / 16
    np.testing.assert_array_equal(out_labels[0][away & ~tie], nearest[away & ~tie])


def test_flips_commute_with_any_map_for_image_and_labels(frames):
    images, labels = frames
    (a, b, c), (d, e, f) = affine = [[1.3, 0.21, -1.13], [0.17, 0.83, 0.37]]
    out, out_labels = run(images, tiled(affine), (9, 11), labels)
    mirrored = tiled([[-a, -b, WIDTH - 1 - c], [d, e, f]])
    again, again_labels = run(images[:, :, ::-1], mirrored, (9, 11), labels[:, :, ::-1])
    np.testing.assert_allclose(again, out, atol=0.01)
    np.testing.assert_array_equal(again_labels, out_labels)
    turned, turned_labels = run(images, tiled([[-a, b, c + 10 * a], [-d, e, f + 10 * d]]), (9, 11), labels)
    np.testing.assert_allclose(turned, out[:, :, ::-1], atol=0.01)
    np.testing.assert_array_equal(turned_labels, out_labels[:, :, ::-1])


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_labels_keep_their_dtype_and_take_any_ignore(dtype, frames):
    images, labels = frames
    affine = keras.ops.convert_to_tensor(tiled([[1, 0, -20], [0, 1, 0]]))
    _, out = resample(images, affine, (2, 2), labels.astype(dtype), ignore_index=77)
    assert keras.backend.standardize_dtype(out.dtype) == dtype
    assert (keras.ops.convert_to_numpy(out) == 77).all()


def test_float_images_give_the_same(frames):
    images, _ = frames
    affine = tiled([[0.9, 0.2, -1], [-0.1, 1.1, 2.3]])
    expected = run(images, affine, (7, 8))
    np.testing.assert_array_equal(run(images.astype(np.float32), affine, (7, 8)), expected)
    assert expected.min() >= 0
    assert expected.max() <= 255


def test_shapes_that_do_not_belong_together_are_refused(frames):
    images, labels = frames
    with pytest.raises(AugmentError, match=r"images \(13, 17, 3\)"):
        resample(images[0], tiled(IDENTITY), (4, 4))
    with pytest.raises(AugmentError, match=r"affine \(2, 3\)"):
        resample(images, np.float32(IDENTITY), (4, 4))
    with pytest.raises(AugmentError, match=r"labels \(2, 13, 16\)"):
        resample(images, tiled(IDENTITY), (4, 4), labels[:, :, 1:])
