import keras
import numpy as np
import pytest

from desertseg.engine.losses import LOSSES, build_loss, needs_counts, parse_loss
from desertseg.engine.recipe import LossRecipe, RecipeError
from desertseg.losses import CrossEntropy, Dice, Focal, FocalDice, Tversky, WeightedSum, class_weights

COUNTS = np.array([[40, 10, 50], [300, 0, 100]])


def build(name="focal_dice", counts=None, **settings):
    return build_loss(LossRecipe(name=name, **settings), 3, counts)


@pytest.mark.parametrize("name", LOSSES)
def test_a_name_is_the_loss_with_its_defaults(name):
    loss = build(name)
    assert type(loss) is LOSSES[name]
    assert loss.get_config() == LOSSES[name]().get_config()


def test_options_reach_the_loss():
    made = build("focal_dice(focal_weight=4, gamma=2)")
    assert type(made) is FocalDice
    assert made.get_config() == FocalDice(focal_weight=4, gamma=2).get_config()
    assert build("tversky(alpha=0.2, beta=0.8, gamma=1.333)").gamma == 1.333
    assert build("ohem(threshold=0.5, keep=0.1)").keep == 0.1
    assert build("boundary(radius=3, strength=5)").radius == 3


def test_a_weighted_sum():
    made = build(" 0.25*focal(gamma=1) + .55 * dice\n + 2 * (cross_entropy(label_smoothing=0.1) + lovasz*0.5) ")
    assert type(made) is WeightedSum
    assert [type(loss).__name__ for loss in made.losses] == ["Focal", "Dice", "CrossEntropy", "LovaszSoftmax"]
    assert made.weights == [0.25, 0.55, 2, 1]
    assert (made.losses[0].gamma, made.losses[2].label_smoothing) == (1, 0.1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert again.get_config() == made.get_config()


def test_a_weight_alone_makes_a_sum_of_one():
    made = build("2*dice")
    assert (type(made), made.weights) == (WeightedSum, [2])


@pytest.mark.parametrize(
    ("name", "weighted"),
    [
        ("cross_entropy", [True]),
        ("focal + ohem + boundary", [True] * 3),
        ("focal_dice", [True]),
        ("focal + dice + tversky + lovasz", [True, False, False, False]),
        ("focal(weighted=false) + dice(weighted=true)", [False, True]),
        ("focal(weighted=False) + lovasz(weighted=True)", [False, True]),
    ],
)
def test_class_weights_reach_the_losses_over_pixels_and_those_that_ask(name, weighted):
    losses = getattr(loss := build(name, class_weights=[1.0, 2.0, 5.0]), "losses", [loss])
    losses = [loss] if isinstance(loss, FocalDice) else losses
    assert [one.class_weights for one in losses] == [[1, 2, 5] if has else None for has in weighted]


def test_class_weights_of_focal_dice_reach_both():
    assert [part.class_weights for part in build(class_weights=[1.0, 2.0, 5.0]).losses] == [[1, 2, 5]] * 2


@pytest.mark.parametrize("scheme", ["inverse", "enet", "median", "effective"])
def test_class_weights_from_counts(scheme):
    recipe = LossRecipe(name="cross_entropy", class_weights=scheme, class_weight_cap=1.5)
    assert needs_counts(recipe)
    weights = build_loss(recipe, 3, COUNTS).class_weights
    assert weights == class_weights(COUNTS, scheme, 1.5)
    assert max(weights) == 1.5


def test_counts_are_not_needed_for_a_list_or_none():
    assert not needs_counts(LossRecipe())
    assert not needs_counts(LossRecipe(class_weights=[1.0, 2.0, 3.0]))
    assert build(class_weights=[1.0, 2.0, 9.0], class_weight_cap=5.0).class_weights == [1, 2, 5]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("focal_dise", "did you mean 'focal_dice'"),
        ("0.5*cross_entropy + lovas", "names 'lovas', which is no loss .did you mean 'lovasz'"),
        ("focal(gama=2)", "gives focal 'gama' .did you mean 'gamma'"),
        ("dice(weigthed=true)", "did you mean 'weighted'"),
        ("focal(2)", "option without a name"),
        ("focal(**x)", "option without a name"),
        ("focal(gamma=1, gamma=2)", "twice"),
        ("focal(gamma=dice)", "sets focal's gamma to 'dice'; give a number"),
        ("focal(gamma=-1)", "give a number >= 0"),
        ("focal(gamma=true)", "give a number"),
        ("dice(weighted=1)", "it is true or false"),
        ("dice(class_weights=2)", "gives dice 'class_weights'"),
        ("cross_entropy(label_smoothing=2)", "cross_entropy: label_smoothing is 2;"),
        ("boundary(radius=1.5)", "boundary: radius is 1.5"),
        ("focal - dice", "has 'focal - dice'"),
        ("-1*dice", "multiplies"),
        ("focal*dice", "one side is a number"),
        ("2*3", "one side is a number"),
        ("focal + 1", "adds the number 1"),
        ("1e999*dice", "multiplies"),
        ("0*dice", "no term with a weight above 0"),
        ("__import__('os').getcwd()", "may have losses"),
        ("focal +", "is no expression"),
        ("", "is no expression"),
        ("(" * 300 + "dice" + ")" * 300, "is no expression"),
        ("+".join(["dice"] * 20000), "is no expression"),
        ("dice\0", "is no expression"),
    ],
    ids=lambda text: text[:20],
)
def test_anything_else_is_refused_with_the_nearest_right_one(name, message):
    with pytest.raises(RecipeError, match=message):
        build(name)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_weights": [1.0, 2.0]}, "2 weights for 3 classes"),
        ({"class_weights": [0.0, 0.0, 0.0]}, "class_weights are"),
        ({"name": "dice", "class_weights": "enet"}, "no term of 'dice' takes them"),
        ({"class_weights": "inverse", "class_weight_cap": 0.5}, "loss.class_weights: the cap"),
    ],
    ids=str,
)
def test_class_weights_that_cannot_be_used_are_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        build(counts=COUNTS, **settings)


def test_what_is_wrong_is_said_before_anything_is_counted():
    with pytest.raises(RecipeError, match="did you mean"):
        needs_counts(LossRecipe(name="dicee"))
    with pytest.raises(RecipeError, match="no term"):
        needs_counts(LossRecipe(name="tversky", class_weights="median"))


def test_terms_are_told():
    first, second = parse_loss("0.5*cross_entropy(label_smoothing=0.1) + dice(weighted=true)")
    assert (first.weight, first.name, first.options, first.weighted) == (
        0.5,
        "cross_entropy",
        {"label_smoothing": 0.1},
        True,
    )
    assert (second.weight, second.name, second.options, second.weighted) == (1, "dice", {}, True)


def test_defaults_are_those_of_the_classes():
    assert type(build("0.5*cross_entropy + 0.5*dice").losses[0]) is CrossEntropy
    assert (Focal().gamma, Dice().smooth, Tversky().alpha) == (2, 0, 0.3)
