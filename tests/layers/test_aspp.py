import keras
import numpy as np
import pytest

from desertseg.layers import aspp


@pytest.mark.parametrize("separable", [False, True])
def test_branches_by_name_and_output_shape(separable):
    inputs = keras.Input((None, None, 6))
    model = keras.Model(inputs, aspp(inputs, 4, (6, 12), separable=separable, dropout=0.5))
    names = {layer.name for layer in model.layers}
    assert {
        "aspp_pointwise_conv",
        "aspp_atrous2_conv",
        "aspp_pooling_conv",
        "aspp_project_conv",
        "aspp_dropout",
    } <= names
    assert ("aspp_atrous1_depthwise" in names) == separable
    dilated = model.get_layer("aspp_atrous2_depthwise" if separable else "aspp_atrous2_conv")
    assert dilated.dilation_rate == (12, 12)
    assert model(np.zeros((2, 5, 3, 6), "float32")).shape == (2, 5, 3, 4)


def test_the_pooling_branch_alone_sees_the_whole_picture():
    """With the other branches' weights at zero the output is one value a channel, whatever the position."""
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, aspp(inputs, 4, (6,)))
    for name in ("aspp_pointwise_conv", "aspp_atrous1_conv"):
        model.get_layer(name).set_weights([0 * w for w in model.get_layer(name).get_weights()])
    outputs = np.asarray(model(np.random.default_rng(0).normal(size=(1, 4, 5, 3)).astype("float32")))
    np.testing.assert_allclose(outputs, np.broadcast_to(outputs[:, :1, :1], outputs.shape), rtol=0, atol=1e-6)
    assert outputs.any()
