import keras
import numpy as np
import pytest

from desertseg.models import ModelError, ResNet


def tiny(**options):
    return ResNet(**{"blocks": (1, 1, 1, 1), "width": 4, **options})


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_features_by_name_and_stride(output_stride, bottleneck):
    network = tiny(output_stride=output_stride, bottleneck=bottleneck)
    shapes = network.compute_output_shape((2, 64, 96, 3))
    strides = {name: 64 // shape[1] for name, shape in shapes.items()}
    deep = [min(s, output_stride) for s in (4, 8, 16, 32)]
    assert strides == dict(zip(["stem", "stage1", "stage2", "stage3", "stage4"], [2, *deep], strict=True))
    assert [shape[-1] for shape in shapes.values()] == [4, *(4 * w * (4 if bottleneck else 1) for w in (1, 2, 4, 8))]


@pytest.mark.parametrize(
    ("blocks", "bottleneck", "parameters"),
    # torchvision's parameter counts without the classifier: 11,689,512 - 513,000, 25,557,032 - 2,049,000.
    [((2, 2, 2, 2), False, 11_176_512), ((3, 4, 6, 3), True, 23_508_032)],
)
def test_parameter_count_is_torchvisions(blocks, bottleneck, parameters):
    network = ResNet(blocks, bottleneck)
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == parameters


def test_dilation_of_the_first_block():
    def rates(**options):
        network = tiny(blocks=(1, 1, 1, 2), output_stride=16, **options)
        return [network.get_layer(f"stage4_block{b}_{k}_conv").dilation_rate[0] for b in (1, 2) for k in (1, 2)]

    assert rates() == [1, 2, 2, 2]
    assert rates(dilate_first_block=True) == [2, 2, 2, 2]


def test_a_block_starts_as_its_shortcut():
    network = tiny(blocks=(2, 1, 1, 1))
    scale = network.get_layer("stage1_block2_2_norm").gamma
    assert not np.asarray(scale).any()
    assert np.asarray(tiny(zero_init=False).get_layer("stage1_block1_2_norm").gamma).all()


def test_config_round_trip():
    network = tiny(output_stride=8, dilate_first_block=True, dtype="mixed_bfloat16", name="b")
    twin = ResNet.from_config(network.get_config())
    assert twin.get_config() == network.get_config()
    assert twin.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert [w.path for w in twin.weights] == [w.path for w in network.weights]


@pytest.mark.parametrize("options", [{"output_stride": 4}, {"blocks": (1, 1)}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ModelError, match=r"choose 8, 16 or 32|four stages"):
        tiny(**options)


def test_same_seed_same_weights():
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        weights.append(tiny().get_weights())
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)
