import keras
import pytest

from desertseg.models import ModelError, ResNet, build_segmenter
from desertseg.models.flops import count_flops

on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="operations are counted by tracing with JAX")


@on_jax
def test_a_resnet_by_hand():
    # One 3x3 convolution of each kind, at 8x12, then what strides leave of it; multiply-adds count twice.
    network = ResNet((1, 1, 1, 1), width=4, output_stride=32)
    places = {"stem": 16 * 24, "stage1": 8 * 12, "stage2": 4 * 6, "stage3": 2 * 3, "stage4": 1 * 2}
    expected = places["stem"] * 49 * 3 * 4 + places["stage1"] * 9 * (4 * 4 + 4 * 4)
    for stage, (before, after) in {"stage2": (4, 8), "stage3": (8, 16), "stage4": (16, 32)}.items():
        expected += places[stage] * (9 * (before * after + after * after) + before * after)
    assert count_flops(network, (32, 48)) == 2 * expected


@on_jax
def test_resizing_and_depthwise_convolutions(tiny_options):
    plain = build_segmenter(**tiny_options, separable=False).network
    separable = build_segmenter(**tiny_options, separable=True).network
    difference = count_flops(plain, (64, 96)) - count_flops(separable, (64, 96))
    # ASPP: three 3x3 from 64 to 16 channels at 4x6; decoder: 64 -> 16 and 16 -> 16 at 16x24.
    saved = 24 * 3 * (9 * 64 * 16 - 9 * 64 - 64 * 16)
    saved += 384 * sum(9 * before * 16 - 9 * before - before * 16 for before in (16 + 48, 16))
    assert difference == 2 * saved


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX counts")
def test_other_backends_are_told():
    with pytest.raises(ModelError, match="KERAS_BACKEND=jax"):
        count_flops(ResNet((1, 1, 1, 1), width=4), (32, 32))
