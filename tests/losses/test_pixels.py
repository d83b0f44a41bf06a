"""What holds for every loss."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.losses import (
    OHEM,
    BoundaryCrossEntropy,
    CrossEntropy,
    Dice,
    Focal,
    FocalDice,
    LossError,
    LovaszSoftmax,
    Tversky,
    WeightedSum,
)

LOSSES = [CrossEntropy, Focal, Dice, FocalDice, Tversky, LovaszSoftmax, OHEM, BoundaryCrossEntropy]
REGION_LOSSES = (Dice, Tversky, LovaszSoftmax)
WEIGHTS = [0.5, 2.0, 1.0, 3.0]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda c: c.__name__)
# FocalDice runs the code of Focal and of Dice; compiling each alone as well would double the time for nothing.
both_kinds = pytest.mark.parametrize("loss", [CrossEntropy, FocalDice], ids=lambda c: c.__name__)
every_code = pytest.mark.parametrize("loss", [c for c in LOSSES if c not in (Focal, Dice)], ids=lambda c: c.__name__)


@every_loss
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_value_and_gradient_equal_a_float64_reference(loss, weights, batch, reference, differences, value_and_grad):
    labels, logits = batch
    value, gradient = value_and_grad(loss(class_weights=weights), labels, logits)
    expected = reference[loss.__name__](labels, logits, weights)
    slope = differences(lambda x: reference[loss.__name__](labels, x, weights), logits)
    assert value == pytest.approx(expected, rel=2e-6)  # float32 sums of 30 terms
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-6)
    assert np.abs(slope).max() > 1e-3


@settings(max_examples=6, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_shape_with_ignore_equals_the_reference(data, reference, value_and_grad):
    shape = tuple(data.draw(st.integers(1, 4)) for _ in range(3))
    num_classes = data.draw(st.integers(1, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    labels = np.where(rng.random(shape) < 0.4, 255, rng.integers(0, num_classes, shape)).astype(np.int32)
    logits = rng.normal(0, 3, (*shape, num_classes)).astype(np.float32)
    # Weights that no other combination of the terms would meet by chance.
    value, _ = value_and_grad(WeightedSum([CrossEntropy(), Focal(), Dice()], [1, 0.37, 5]), labels, logits)
    terms = [reference[name](labels, logits) for name in ("CrossEntropy", "Focal", "Dice")]
    assert value == pytest.approx(np.dot([1, 0.37, 5], terms), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("loss", [FocalDice, LovaszSoftmax, OHEM], ids=lambda c: c.__name__)
def test_compiled_equals_eager(loss, batch, value_and_grad):
    value, gradient = value_and_grad(loss(class_weights=WEIGHTS), *batch)
    eager, eager_gradient = value_and_grad(loss(class_weights=WEIGHTS), *batch, compiled=False)
    assert value == pytest.approx(eager, rel=1e-6)  # sums in another order
    np.testing.assert_allclose(gradient, eager_gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX knows all shapes while tracing")
@every_code
def test_sizes_may_be_unknown_while_tracing(loss, batch):
    import tensorflow as tf

    made = loss(class_weights=WEIGHTS)
    signature = [tf.TensorSpec((None, None, None), tf.uint8), tf.TensorSpec((None, None, None, 4))]
    value, mass = tf.function(lambda y, x: (made(y, x), made.mass(y)), input_signature=signature)(*batch)
    assert float(value) == pytest.approx(float(made(*batch)), rel=1e-6)
    assert float(mass) == float(made.mass(batch[0]))


@every_loss
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_nothing_to_learn_where_every_pixel_is_ignored(loss, weights, batch, value_and_grad):
    labels, logits = batch
    value, gradient = value_and_grad(loss(class_weights=weights), np.full_like(labels, 255), 25 * logits)
    assert value == 0
    assert (gradient == 0).all()


@every_code
def test_ignored_pixels_do_not_count(loss, batch, value_and_grad):
    labels, logits = batch
    changed = np.where((labels == 255)[..., None], logits[..., ::-1] * 7 + 3, logits)
    value, gradient = value_and_grad(loss(), labels, logits)
    assert value_and_grad(loss(), labels, changed)[0] == value
    assert (gradient[labels == 255] == 0).all()


@pytest.mark.parametrize("loss", [CrossEntropy, FocalDice, BoundaryCrossEntropy], ids=lambda c: c.__name__)
def test_another_ignore_index(loss, batch):
    labels, logits = batch
    moved = np.where(labels == 255, -1, labels.astype(np.int32))
    assert float(loss(ignore_index=-1)(moved, logits)) == pytest.approx(float(loss()(labels, logits)), rel=1e-6)
    # A class may be the one that is ignored.
    without = np.where(labels == 0, 255, labels).astype(np.uint8)
    zero = np.where(labels == 255, 0, labels).astype(np.uint8)
    assert float(loss(ignore_index=0)(zero, logits)) == pytest.approx(float(loss()(without, logits)), rel=1e-6)


@every_loss
@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_huge_logits_stay_finite_and_keep_a_mistakes_gradient(loss, scale, batch, value_and_grad):
    labels, _ = batch
    logits = np.zeros((*labels.shape, 4), np.float32)
    logits[..., 0] = scale
    value, gradient = value_and_grad(loss(), labels, logits)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    if loss not in REGION_LOSSES:  # a saturated softmax leaves them none, whatever is done
        wrong = (labels == 0) if scale < 0 else (labels != 0) & (labels != 255)
        assert (np.abs(gradient[wrong]).sum(-1) > 1e-3).all()


@every_code
def test_classes_may_change_places(loss, batch):
    labels, logits = batch
    order = np.array([2, 0, 3, 1])  # new place of each class
    moved = np.where(labels == 255, 255, order[np.minimum(labels, 3)]).astype(np.uint8)
    moved_logits, moved_weights = np.empty_like(logits), np.empty(4)
    moved_logits[..., order] = logits
    moved_weights[order] = WEIGHTS
    expected = float(loss(class_weights=WEIGHTS)(labels, logits))
    assert float(loss(class_weights=moved_weights)(moved, moved_logits)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", [CrossEntropy, FocalDice, LovaszSoftmax], ids=lambda c: c.__name__)
def test_half_precision_logits_are_computed_in_float32(loss, batch):
    labels, logits = batch
    half = keras.ops.cast(logits, "bfloat16")
    rounded = keras.ops.cast(half, "float32")
    assert float(loss()(labels, half)) == pytest.approx(float(loss()(labels, rounded)), rel=1e-6)
    assert float(loss()(labels, logits.astype(np.float16))) == pytest.approx(float(loss()(labels, logits)), rel=5e-3)


@pytest.mark.parametrize("loss", [CrossEntropy, FocalDice, Tversky], ids=lambda c: c.__name__)
def test_scale_of_the_weights_does_not_matter(loss, batch):
    expected = float(loss(class_weights=WEIGHTS)(*batch))
    assert float(loss(class_weights=[10 * w for w in WEIGHTS])(*batch)) == pytest.approx(expected, rel=1e-6)
    assert float(loss(class_weights=[1, 1, 1, 1])(*batch)) == pytest.approx(float(loss()(*batch)), rel=1e-6)


@every_code
def test_a_label_that_is_no_class_is_loud(loss, batch):
    labels, logits = batch
    for bad in (4, 254):
        wrong = labels.copy()
        wrong[0, 0, 0] = bad
        assert np.isnan(float(loss()(wrong, logits)))
    assert np.isnan(float(loss()(np.where(labels == 255, -1, labels.astype(np.int32)), logits)))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("loss", [CrossEntropy, Focal, BoundaryCrossEntropy], ids=lambda c: c.__name__)
def test_parts_of_a_batch_by_their_mass_are_the_batch(loss, weights, batch):
    labels, logits = batch
    labels = labels.copy()
    labels[0, 1] = 255
    made = loss(class_weights=weights)
    masses = [float(made.mass(part)) for part in (labels[:1], labels[1:])]
    parts = [float(made(labels[k : k + 1], logits[k : k + 1])) for k in (0, 1)]
    assert masses[0] != masses[1]
    assert float(made.mass(labels)) == pytest.approx(sum(masses), rel=1e-6)
    assert np.dot(masses, parts) / sum(masses) == pytest.approx(float(made(labels, logits)), rel=1e-6)


@every_loss
def test_mass_is_the_number_of_valid_pixels_or_their_weights(loss, batch):
    labels, _ = batch
    count = (labels != 255).sum()
    if loss is not BoundaryCrossEntropy:
        assert float(loss().mass(labels)) == count
    weighted = float(loss(class_weights=WEIGHTS).mass(labels))
    if loss in REGION_LOSSES:
        assert weighted == count
    elif loss in (CrossEntropy, Focal, OHEM):
        assert weighted == pytest.approx(np.array(WEIGHTS)[labels[labels != 255]].sum())
    assert float(loss(class_weights=WEIGHTS).mass(np.full((1, 2, 2), 255, np.uint8))) == 0


@every_loss
def test_config_round_trip(loss, batch):
    made = loss(class_weights=WEIGHTS, ignore_index=254, name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(again) is loss
    assert again.get_config() == made.get_config()
    assert all(getattr(again, key) == value for key, value in made.get_config().items())
    assert float(again(*batch)) == pytest.approx(float(made(*batch)), nan_ok=True)


@every_loss
def test_sample_weights_are_refused(loss, batch):
    with pytest.raises(LossError, match="class_weights="):
        loss()(*batch, sample_weight=np.ones(2))


@every_loss
def test_wrong_shapes_and_types_are_refused(loss, batch):
    labels, logits = batch
    with pytest.raises(LossError, match=r"labels \(2, 3, 4\) and logits \(2, 3, 5, 4\)"):
        loss()(labels[:, :, :4], logits)
    with pytest.raises(LossError, match=r"labels \(2, 3, 5, 1\)"):
        loss()(labels[..., None], logits)
    with pytest.raises(LossError, match="float logits, not int32"):
        loss()(labels, logits.astype(np.int32))
    with pytest.raises(LossError, match="3 class weights for logits of 4 classes"):
        loss(class_weights=[1, 2, 3])(labels, logits)


@pytest.mark.parametrize("weights", [[1, -1], [float("nan"), 1], [0, 0], []])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(LossError, match="class_weights are"):
        CrossEntropy(class_weights=weights)


def test_counts_stay_exact_over_many_pixels():
    # 2**24 + 2**20 pixels of one value: a float32 count would stop at 2**24, a running float32 sum would drift.
    labels = np.zeros((17, 1024, 1024), np.uint8)
    logits = np.zeros((17, 1024, 1024, 1), np.float32) + np.float32([0, 0])
    assert float(CrossEntropy()(labels, logits)) == pytest.approx(np.log(2), rel=1e-4)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # keras' own, with numpy 2
@both_kinds
def test_trains_in_a_compiled_mixed_precision_model_and_comes_back_from_its_file(loss, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, 6, 7, 3)).astype(np.float32)
    labels = np.where(images[..., 0] > 0.8, 255, (images[..., 1] > 0)).astype(np.uint8)
    keras.utils.set_random_seed(0)
    conv = keras.layers.Conv2D(2, 1, dtype=keras.DTypePolicy("mixed_bfloat16"))
    model = keras.Sequential([keras.Input((6, 7, 3)), conv])
    model.compile(keras.optimizers.Adam(0.1, name="adam"), loss(class_weights=[1, 2]))
    before = model.evaluate(images, labels, verbose=0)
    model.fit(images, labels, epochs=10, batch_size=2, verbose=0, shuffle=False)
    after = model.evaluate(images, labels, verbose=0)
    assert after < 0.7 * before
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.evaluate(images, labels, verbose=0) == pytest.approx(after, rel=1e-6)
