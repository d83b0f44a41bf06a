"""What holds for every network of the zoo, on small ones of each architecture."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from desertseg.models import (
    LRASPP,
    ConvNeXtHead,
    DeepLabV3,
    DeepLabV3Plus,
    DilatedUPerNet,
    DINOv2,
    LinearHead,
    MiT,
    MobileNetV3,
    ResNet,
    SegFormer,
    Segmenter,
    UPerNet,
)


def resnet(**options):
    return ResNet((1, 1, 1, 1), width=8, zero_init=False, **options)


def dinov2(**options):
    return DINOv2(32, 2, 2, position_grid=5, layer_scale=1.0, **options)


BUILDERS = {
    "deeplabv3": lambda **d: DeepLabV3(resnet(output_stride=8, **d), 10, aspp_channels=16, decoder_channels=16, **d),
    "deeplabv3plus": lambda **d: DeepLabV3Plus(resnet(output_stride=16, **d), 10, aspp_channels=16, **d),
    "upernet on a cnn": lambda **d: UPerNet(resnet(**d), 10, channels=16, **d),
    "upernet on a vit": lambda **d: UPerNet(dinov2(features=2, **d), 10, channels=16, **d),
    "dilated_upernet": lambda **d: DilatedUPerNet(dinov2(num_registers=4, **d), 10, channels=32, groups=4, **d),
    "linear": lambda **d: LinearHead(dinov2(swiglu=True, **d), 10, **d),
    "convnext_head": lambda **d: ConvNeXtHead(dinov2(**d), 10, channels=16, **d),
    "segformer": lambda **d: SegFormer(MiT((8, 16, 24, 32), (1, 1, 1, 1), (1, 1, 2, 2), **d), 10, 16, **d),
    "lraspp": lambda **d: LRASPP(MobileNetV3(width=0.25, **d), 10, channels=16, **d),
}


@pytest.fixture
def images():
    """Eight smooth pictures of a size that neither 14 nor 32 divides."""
    generator = np.random.default_rng(0)
    coarse = generator.uniform(0, 255, (8, 3, 4, 3)).astype("float32")
    return np.asarray(keras.ops.image.resize(coarse, (45, 61), "bicubic")).clip(0, 255).astype("uint8")


def trained_like(network):
    """Give weights and statistics values that no initialiser gives, and return a segmenter."""
    generator = np.random.default_rng(1)
    for v in network.weights:
        if "variance" in v.path:
            v.assign(generator.uniform(0.5, 1.5, v.shape))
        elif v.path.endswith(("gamma", "beta", "moving_mean", "bias", "scale")):
            v.assign(np.asarray(v) + generator.normal(0, 0.1, v.shape))
    return Segmenter(network, "falcon")


@pytest.fixture(params=BUILDERS, scope="module")
def built(request):
    return trained_like(BUILDERS[request.param](name="network"))


def test_call_predict_batches_and_file_agree(built, images, tmp_path):
    before = [np.array(v) for v in built.weights]
    expected = built.predict(images, batch_size=8, verbose=0)
    assert expected.shape == (8, 45, 61, 10)
    assert expected.std() > 0.01
    near = {"rtol": 0, "atol": 1e-4 * max(1.0, expected.std())}
    np.testing.assert_allclose(built(images[:2]), expected[:2], **near)
    np.testing.assert_allclose(built.predict(images[3:4], verbose=0), expected[3:4], **near)
    for weight, old in zip(built.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)  # batch statistics too
    built.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    assert loaded.get_config() == built.get_config()
    np.testing.assert_array_equal(loaded.predict(images, batch_size=8, verbose=0), expected)


@pytest.mark.parametrize("name", ["deeplabv3plus", "upernet on a vit", "linear", "segformer", "lraspp"])
def test_bfloat16_chooses_the_same_classes(name, images):
    exact = trained_like(BUILDERS[name](name="network"))
    half = Segmenter(BUILDERS[name](name="network", dtype="mixed_bfloat16"), "falcon")
    half.set_weights(exact.get_weights())
    logits = half.predict(images[:2], verbose=0)
    assert logits.dtype == np.float32
    expected = exact.predict(images[:2], verbose=0)
    top = np.sort(expected, -1)
    clear = top[..., -1] - top[..., -2] > 0.02 * expected.std()  # random weights leave ties that no precision decides
    assert clear.mean() > 0.9
    assert (logits.argmax(-1) == expected.argmax(-1))[clear].mean() >= 0.99


OTHER_BACKEND = """
import sys
from pathlib import Path
import numpy as np
import desertseg.models
import keras
folder = Path(sys.argv[1])
images = np.load(folder / "images.npy")
for file in folder.glob("*.keras"):
    np.save(file.with_suffix(".npy"), keras.saving.load_model(file, compile=False).predict(images, verbose=0))
"""


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="it computes on both: once is enough")
def test_the_other_backend_agrees(images, tmp_path: Path):
    expected = {}
    np.save(tmp_path / "images.npy", images[:2])
    for name, build in BUILDERS.items():
        model = trained_like(build(name="network"))
        model.save(tmp_path / f"{name}.keras")
        expected[name] = model.predict(images[:2], verbose=0)
    other = "tensorflow" if keras.backend.backend() == "jax" else "jax"
    environment = dict(os.environ, KERAS_BACKEND=other)
    command = [sys.executable, "-c", OTHER_BACKEND, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    for name, logits in expected.items():
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(found, logits, rtol=0, atol=1e-4 * max(1.0, logits.std()), err_msg=name)
