import keras
import numpy as np
import pytest

from desertseg.models import ModelError
from desertseg.models.mobilenet import FEATURES, MobileNetV3, block_names


def tiny(**options):
    return MobileNetV3(width=0.05, **options)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_features_by_name_and_stride(output_stride):
    network = MobileNetV3(output_stride)
    shapes = network.compute_output_shape((2, 64, 96, 3))
    deep = [min(s, output_stride) for s in (4, 8, 16, 32)]
    assert {name: 64 // shape[1] for name, shape in shapes.items()} == dict(zip(FEATURES, [2, *deep], strict=True))
    # Table 1 of the paper.
    assert [shapes[name][-1] for name in FEATURES] == [16, 24, 40, 112, 960]


def test_parameter_count_is_torchvisions():
    # 5,483,032 less the classifier: 960 x 1280 + 1280 and 1280 x 1000 + 1000.
    assert sum(int(np.prod(v.shape)) for v in MobileNetV3().trainable_variables) == 5_483_032 - 1_230_080 - 1_281_000


def test_a_stride_becomes_dilation_at_once():
    def rates(output_stride):
        network = tiny(output_stride=output_stride)
        names = ("stage2_block1", "stage3_block1", "stage3_block2", "stage4_block1", "stage4_block3")
        return [network.get_layer(f"{name}_depthwise").dilation_rate[0] for name in names]

    assert rates(32) == [1, 1, 1, 1, 1]
    assert rates(16) == [1, 1, 1, 2, 2]
    assert rates(8) == [1, 2, 2, 4, 4]


def test_blocks_by_name():
    names = block_names()
    assert (len(names), names[0], names[3], names[-1]) == (15, "stage0_block1", "stage2_block1", "stage4_block3")
    network = tiny(features=("stage2_block1", "stage4"))
    assert set(network.output) == {"stage2_block1", "stage4"}
    norm = network.get_layer("stage2_block1_project_norm")
    assert (norm.momentum, norm.epsilon) == (0.99, 1e-3)


def test_config_round_trip():
    network = tiny(output_stride=8, features=("stage1", "stage4"), dtype="mixed_bfloat16", name="b")
    twin = MobileNetV3.from_config(network.get_config())
    assert twin.get_config() == network.get_config()
    assert twin.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert [w.path for w in twin.weights] == [w.path for w in network.weights]


def test_odd_sizes_and_file(tmp_path):
    images = np.random.default_rng(0).normal(size=(2, 45, 71, 3)).astype("float32")
    network = tiny()
    network.save(tmp_path / "b.keras")
    expected = network.predict(images, verbose=0)
    sizes = {name: expected[name].shape[1:3] for name in FEATURES}
    assert sizes == dict(zip(FEATURES, [(23, 36), (12, 18), (6, 9), (3, 5), (3, 5)], strict=True))
    loaded = keras.saving.load_model(tmp_path / "b.keras").predict(images, verbose=0)
    for name in FEATURES:
        np.testing.assert_array_equal(loaded[name], expected[name])


@pytest.mark.parametrize("options", [{"output_stride": 4}, {"features": ("stage5",)}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ModelError, match=r"choose 8, 16 or 32|no feature 'stage5' \(did you mean 'stage"):
        tiny(**options)
