from __future__ import annotations

import keras
import numpy as np
import pytest

from desertseg.layers import Convolution, DepthwiseConvolution
from desertseg.layers.form import single_forms, uses_single_form

IMAGES = np.random.default_rng(0).normal(size=(2, 11, 14, 6)).astype(np.float32)
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


def test_single_forms_hold_inside_alone() -> None:
    with single_forms():
        assert uses_single_form() == ON_TENSORFLOW
    assert not uses_single_form()


@pytest.mark.parametrize(
    "layer",
    [
        Convolution(5, 3, dilation_rate=3),
        Convolution(5, (3, 5), strides=2, use_bias=True),
        Convolution(5, 1, strides=2),
        DepthwiseConvolution(5),
        DepthwiseConvolution(3, strides=2, use_bias=True),
    ],
    ids=["dilated", "strided", "pointwise", "depthwise", "depthwise strided"],
)
def test_one_operation_computes_what_the_layer_does(layer: keras.layers.Layer) -> None:
    expected = keras.ops.convert_to_numpy(layer(IMAGES))
    with single_forms():
        found = keras.ops.convert_to_numpy(layer(IMAGES))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="a graph of TensorFlow's")
@pytest.mark.parametrize("layer", [Convolution(5, 3, dilation_rate=6), DepthwiseConvolution(3, dilation_rate=6)])
def test_a_dilated_convolution_is_one_operation_of_the_graph(layer: keras.layers.Layer) -> None:
    import tensorflow as tf

    def count(name: str) -> int:
        traced = tf.function(layer.call).get_concrete_function(tf.TensorSpec((None, None, None, 6)))
        return sum(name in op.type for op in traced.graph.get_operations())

    layer.build(IMAGES.shape)
    with single_forms():
        assert (count("Conv2") + count("conv2"), count("SpaceToBatch")) == (1, 0)
