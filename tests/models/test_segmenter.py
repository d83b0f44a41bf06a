import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from desertseg.labels import load_labels
from desertseg.models import ModelError, Segmenter, build_segmenter
from desertseg.models.segmenter import normalize_images


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 29, 45, 3), dtype=np.uint8)


def randomize(model):
    """Give every weight, the moving statistics too, a value that no initialiser gives."""
    generator = np.random.default_rng(1)
    for v in model.weights:
        noise = generator.normal(1.0, 0.2, v.shape) if "variance" in v.path else generator.normal(0, 0.1, v.shape)
        value = np.abs(noise) if "variance" in v.path else np.asarray(v) + noise
        v.assign(value / 20 if "classifier" in v.path else value)  # logits of a trained network's size


def test_call_equals_predict_for_bytes_and_floats(tiny_options, images):
    model = build_segmenter(**tiny_options)
    randomize(model)
    called = np.asarray(model(images))
    assert called.shape == (2, 29, 45, 10)
    assert called.dtype == np.float32
    # The compiled program sums in another order.
    np.testing.assert_allclose(model.predict(images, verbose=0), called, rtol=0, atol=1e-4)
    np.testing.assert_allclose(model.predict(images.astype("float32"), verbose=0), called, rtol=0, atol=1e-4)


def test_a_picture_does_not_change_its_neighbours(tiny_options, images):
    model = build_segmenter(**tiny_options)
    randomize(model)
    together = model.predict(images, verbose=0)
    alone = model.predict(images[1:], verbose=0)
    np.testing.assert_allclose(together[1:], alone, rtol=0, atol=1e-4)


def test_normalisation_is_imagenets():
    images = np.array([[[[0, 128, 255]]]], np.uint8)
    expected = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(normalize_images(images), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32_under_a_mixed_policy(policy, tiny_options, images):
    keras.config.set_dtype_policy(policy)
    try:
        model = build_segmenter(**tiny_options)
    finally:
        keras.config.set_dtype_policy("float32")
    layer = model.network.get_layer("decoder1_conv")
    assert layer.compute_dtype == policy.removeprefix("mixed_")
    assert layer.variable_dtype == "float32"
    logits = model.predict(images, verbose=0)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_file_carries_everything(tiny_options, images, tmp_path):
    model = build_segmenter(
        labels="falcon7",
        size=(192, 320),
        recipe={"epochs": 3, "loss": {"name": "focal"}},
        dtype="float32",
        **tiny_options,
    )
    randomize(model)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert isinstance(loaded, Segmenter)
    assert loaded.labels == load_labels("falcon7")
    assert loaded.size == (192, 320)
    assert loaded.recipe == {"epochs": 3, "loss": {"name": "focal"}}
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))


def test_precision_is_saved_with_the_model(tiny_options, tmp_path):
    build_segmenter(dtype="mixed_bfloat16", **tiny_options).save(tmp_path / "m.keras")
    network = keras.saving.load_model(tmp_path / "m.keras").network
    assert network.backbone.get_layer("stem_conv").compute_dtype == "bfloat16"


OTHER_BACKEND = """
import sys
import numpy as np
import desertseg.models
import keras
folder = sys.argv[1]
logits = keras.saving.load_model(folder + "/m.keras").predict(np.load(folder + "/images.npy"), verbose=0)
np.save(folder + "/logits.npy", logits)
"""


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="it computes on both: once is enough")
def test_other_backend_reads_the_file_and_agrees(tiny_options, images, tmp_path):
    model = build_segmenter(aspp_refinement=True, low_level_channels=8, **tiny_options)
    randomize(model)
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "images.npy", images)
    other = "tensorflow" if keras.backend.backend() == "jax" else "jax"
    environment = dict(os.environ, KERAS_BACKEND=other)
    subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND, str(tmp_path)], env=environment, check=True, capture_output=True
    )
    expected = model.predict(images, verbose=0)
    assert expected.std() > 0.1
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 4, 3), "without a batch axis"),
        ((4, 4), r"takes \(B, H, W, 3\)"),
        ((1, 4, 4, 4), "4 channels; RGB alone"),
        ((1, 3, 4, 4), "channels come last"),
    ],
)
def test_wrong_input_is_explained(shape, message, tiny_options):
    with pytest.raises(ModelError, match=message):
        build_segmenter(**tiny_options)(np.zeros(shape, "float32"))


def test_channels_must_be_the_label_maps_classes(tiny_options):
    network = build_segmenter(**tiny_options).network
    with pytest.raises(ModelError, match=r"10 channels.*7 classes"):
        Segmenter(network, "falcon7")


def test_a_plain_keras_user_trains_it(tiny_options, images):
    keras.utils.set_random_seed(0)
    model = build_segmenter(**tiny_options)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255))
    labels = np.zeros(images.shape[:3], np.uint8)
    before = [np.array(v) for v in model.weights]
    history = model.fit(images, labels, batch_size=2, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    moved = [np.abs(np.array(v) - b).max() > 0 for v, b in zip(model.weights, before, strict=True)]
    assert all(moved), [v.path for v, m in zip(model.weights, moved, strict=True) if not m]
