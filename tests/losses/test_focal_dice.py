import pytest

from desertseg.losses import Dice, Focal, FocalDice


def test_is_focal_plus_dice_with_its_arguments(batch):
    made = FocalDice(gamma=1.5, focal_weight=0.3, dice_weight=0.7, smooth=2, class_weights=[1, 2, 3, 4])
    focal = float(Focal(gamma=1.5, class_weights=[1, 2, 3, 4])(*batch))
    dice = float(Dice(smooth=2, class_weights=[1, 2, 3, 4])(*batch))
    assert float(made(*batch)) == pytest.approx(0.3 * focal + 0.7 * dice, rel=1e-6)


def test_arguments_are_attributes():
    made = FocalDice(gamma=1.5, focal_weight=0.3, dice_weight=0.7, smooth=2, class_weights=[1, 2], ignore_index=9)
    again = FocalDice.from_config(made.get_config())
    for loss in (made, again):
        assert (loss.gamma, loss.focal_weight, loss.dice_weight, loss.smooth) == (1.5, 0.3, 0.7, 2)
        assert (loss.class_weights, loss.ignore_index, loss.name) == ([1, 2], 9, "focal_dice")
