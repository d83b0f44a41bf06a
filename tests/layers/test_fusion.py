import keras
import numpy as np
import pytest
from keras import ops

from desertseg.layers import plain_forms
from desertseg.layers.fusion import LinearFusion

CHANNELS, FILTERS = (3, 5, 4), 6


def features(*sizes):
    generator = np.random.default_rng(0)
    pairs = zip(sizes, CHANNELS, strict=False)
    return [generator.normal(size=(2, *size, channels)).astype("float32") for size, channels in pairs]


def built(inputs, dtype=None):
    """Return a layer whose biases are not zero."""
    layer = LinearFusion(FILTERS, dtype=dtype)
    layer.build([value.shape for value in inputs])
    generator = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(generator.normal(size=weight.shape))
    return layer


def as_described(layer, inputs):
    """Return what the docstring describes, step by step: project, upsample, concatenate, 1x1 convolution."""
    weights = {w.name: ops.convert_to_numpy(w) for w in layer.weights}
    size = inputs[0].shape[1:3]
    maps = [
        ops.image.resize(x @ weights[f"projection{i}_kernel"] + weights[f"projection{i}_bias"], size, antialias=False)
        for i, x in enumerate(inputs, 1)
    ]
    return ops.convert_to_numpy(ops.concatenate(maps, -1)) @ weights["fusion_kernel"].reshape(-1, FILTERS)


@pytest.mark.parametrize("sizes", [((8, 12), (4, 6), (2, 3)), ((7, 5), (4, 3), (2, 2)), ((3, 4),)])
def test_computes_what_it_describes(sizes):
    inputs = features(*sizes)
    layer = built(inputs)
    expected = as_described(layer, inputs)
    found = ops.convert_to_numpy(layer(inputs))
    assert found.shape == expected.shape == layer.compute_output_shape([value.shape for value in inputs])
    # Sums of products in another order.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_both_forms_agree():
    inputs = features((7, 5), (4, 3), (2, 2))
    layer = built(inputs)
    with plain_forms():
        expected = ops.convert_to_numpy(layer(inputs))
    np.testing.assert_allclose(
        ops.convert_to_numpy(layer(inputs)), expected, rtol=0, atol=2e-5 * np.abs(expected).max()
    )


def test_half_precision_is_near_float32():
    inputs = features((8, 12), (4, 6))
    expected, found = (
        ops.convert_to_numpy(ops.cast(built(inputs, d)(inputs), "float32")) for d in (None, "mixed_bfloat16")
    )
    # bfloat16 keeps 8 bits.
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.03 * np.abs(expected).max())


def test_config_round_trip_and_weights():
    layer = LinearFusion(FILTERS, name="f")
    twin = LinearFusion.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    twin.build([(None, None, None, c) for c in CHANNELS])
    assert {v.name: tuple(v.shape) for v in twin.weights} == {
        **{f"projection{i}_kernel": (c, FILTERS) for i, c in enumerate(CHANNELS, 1)},
        **{f"projection{i}_bias": (FILTERS,) for i in (1, 2, 3)},
        "fusion_kernel": (3, FILTERS, FILTERS),
    }


def test_saved_and_loaded(tmp_path):
    inputs = [keras.Input((None, None, c)) for c in CHANNELS]
    model = keras.Model(inputs, LinearFusion(FILTERS)(inputs))
    model.save(tmp_path / "m.keras")
    values = features((8, 12), (4, 6), (2, 3))
    twin = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(twin.predict(values, verbose=0), model.predict(values, verbose=0))
