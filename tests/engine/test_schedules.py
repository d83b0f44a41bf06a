from __future__ import annotations

import numpy as np
import pytest

from desertseg.engine.recipe import OptimizerRecipe
from desertseg.engine.schedules import learning_rates


def rates(steps: int, epochs: int, **settings: object) -> np.ndarray:
    return learning_rates(OptimizerRecipe(learning_rate=0.4, **settings), steps, epochs)  # type: ignore[arg-type]


def test_cosine_with_warm_up() -> None:
    found = rates(5, 10, warmup_epochs=2.0, final_learning_rate=0.1)
    np.testing.assert_allclose(found[:10], np.linspace(0.04, 0.4, 10))
    np.testing.assert_allclose(found[10:], 0.1 + 0.15 * (1 + np.cos(np.pi * np.arange(40) / 40)))


def test_cosine_by_epoch_is_the_sequence_of_pytorch() -> None:
    """CosineAnnealingLR(T_max=4, eta_min=0.1) from 0.4, by hand: 0.4, 0.3561, 0.25, 0.1439."""
    found = rates(3, 4, warmup_epochs=0.0, final_learning_rate=0.1, per="epoch")
    np.testing.assert_allclose(found, np.repeat([0.4, 0.35606602, 0.25, 0.14393398], 3), rtol=1e-7)


def test_poly_step_and_constant() -> None:
    np.testing.assert_allclose(
        rates(1, 4, schedule="poly", power=2.0, warmup_epochs=0.0), 0.4 * (1 - np.arange(4) / 4) ** 2
    )
    found = rates(2, 5, schedule="step", step_epochs=2, step_factor=0.1, warmup_epochs=0.0)
    np.testing.assert_allclose(found, np.repeat([0.4, 0.4, 0.04, 0.04, 0.004], 2))
    np.testing.assert_allclose(rates(2, 3, schedule="constant", warmup_epochs=1.0), [0.2, 0.4, 0.4, 0.4, 0.4, 0.4])


def test_one_cycle_is_pytorchs() -> None:
    """torch.optim.lr_scheduler.OneCycleLR(max_lr=0.4, total_steps=20): two cosines, by its documented formula.

    From 0.4 / 25 at step 0 to 0.4 at step 0.3 * 20 - 1, then to the first rate / 10,000 at the last step.
    """
    found = rates(10, 2, schedule="one_cycle", warmup_epochs=0.0)
    for step, rate in enumerate(found):
        begin, end, low, high = (0, 5, 0.016, 0.4) if step <= 5 else (5, 19, 0.4, 0.016e-4)
        expected = high + (low - high) / 2 * (1 + np.cos(np.pi * (step - begin) / (end - begin)))
        assert rate == pytest.approx(expected, rel=1e-9), step


@pytest.mark.parametrize("schedule", ["constant", "step", "poly", "cosine", "one_cycle"])
@pytest.mark.parametrize("per", ["step", "epoch"])
def test_every_schedule_reaches_its_rate_and_never_passes_it(schedule: str, per: str) -> None:
    found = rates(4, 6, schedule=schedule, per=per, warmup_epochs=2.0)
    assert found.shape == (24,)
    assert found.max() == pytest.approx(0.4)
    assert (found > 0).all()
    assert (np.diff(found[:8]) >= 0).all()
    if per == "epoch":
        assert (found.reshape(6, 4) == found.reshape(6, 4)[:, :1]).all()


def test_a_run_shorter_than_its_warm_up_still_reaches_the_rate() -> None:
    assert rates(2, 1, warmup_epochs=9.0).max() == pytest.approx(0.4)
