import keras
import numpy as np
import pytest

from desertseg.losses import CrossEntropy, Dice, Focal, LossError, WeightedSum


def test_is_the_weighted_sum(batch, value_and_grad):
    parts = [Focal(), Dice(), CrossEntropy(class_weights=[1, 2, 3, 4])]
    value, gradient = value_and_grad(WeightedSum(parts, [0.25, 0.55, 0.2]), *batch)
    singles = [value_and_grad(part, *batch) for part in parts]
    assert value == pytest.approx(np.dot([0.25, 0.55, 0.2], [v for v, _ in singles]), rel=1e-6)
    expected = sum(w * g for w, (_, g) in zip([0.25, 0.55, 0.2], singles, strict=True))
    np.testing.assert_allclose(gradient, expected, atol=1e-7)


def test_weights_are_one_each_by_default(batch):
    assert float(WeightedSum([Focal(), Dice()])(*batch)) == pytest.approx(
        float(Focal()(*batch)) + float(Dice()(*batch)), rel=1e-6
    )


def test_takes_keras_own_losses(batch):
    own = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    expected = 3 * float(CrossEntropy()(*batch))
    assert float(WeightedSum([own, CrossEntropy()], [1, 2])(*batch)) == pytest.approx(expected, rel=1e-6)


def test_config_round_trip(batch):
    made = WeightedSum([Focal(gamma=1), WeightedSum([Dice(smooth=1), CrossEntropy()], [1, 2])], [0.5, 2], name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert again.get_config() == made.get_config()
    assert [type(part) for part in again.losses] == [Focal, WeightedSum]
    assert float(again(*batch)) == float(made(*batch))


def test_sample_weights_reach_the_parts(batch):
    with pytest.raises(LossError, match="sample weights"):
        WeightedSum([Focal(), Dice()])(*batch, sample_weight=np.ones(2))


@pytest.mark.parametrize(("losses", "weights"), [([], None), ([Focal()], [1, 2]), ([Focal()], [float("nan")])])
def test_weights_that_do_not_fit_are_refused(losses, weights):
    with pytest.raises(LossError, match="one finite weight for each"):
        WeightedSum(losses, weights)


def test_terms_of_sums_inside_are_its_own():
    inner = WeightedSum([Dice(), CrossEntropy()], [1, 2])
    terms = WeightedSum([Focal(), inner], [0.5, 3]).terms()
    assert [(weight, type(loss)) for weight, loss in terms] == [(0.5, Focal), (3, Dice), (6, CrossEntropy)]


def test_mass_is_that_of_its_terms(batch):
    labels, _ = batch
    count = float((labels != 255).sum())
    assert float(WeightedSum([Focal(), Dice()], [4, 1]).mass(labels)) == count
    weighted = CrossEntropy(class_weights=[1, 2, 3, 4])
    expected = 0.25 * count + 0.75 * float(weighted.mass(labels))
    made = WeightedSum([Focal(), weighted, Dice()], [1, 3, 0])
    assert float(made.mass(labels)) == pytest.approx(expected)
    with pytest.raises(LossError, match="has no mass"):
        WeightedSum([keras.losses.SparseCategoricalCrossentropy(name="own")]).mass(labels)
