"""How a training ends before its time: a loss that is not finite, and a score that no longer grows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from desertseg.engine import Recipe, fit, resume
from desertseg.engine.state import StateStore
from desertseg.errors import UserError

SMALL = Recipe().with_changes(
    {
        "data.size": [28, 28],
        "model.name": "linear",
        "model.open_blocks": "all",
        "model.options": {"width": 16, "depth": 1, "num_heads": 2},
        "optimizer.name": "sgd",
        "optimizer.warmup_epochs": 0.0,
        "train.batch_size": 4,
        "train.epochs": 3,
    }
)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_state_before_it(
    tiny_desert: Path, tmp_path: Path
) -> None:
    recipe = SMALL.with_changes({"optimizer.learning_rate": 1e30, "train.save_steps": 1})
    with pytest.raises(UserError, match=r"the loss of step \d .* is not finite; .* Try a lower --lr") as caught:
        fit(tiny_desert, tmp_path / "run", recipe, progress=False)
    found = re.search(
        r"step (\d) \(epoch (\d), learning rate \S+\).*; the state after step (\d) is kept", str(caught.value)
    )
    assert found is not None, caught.value
    bad, epoch, kept = map(int, found.groups())
    assert kept < bad
    assert epoch == (bad + 1) // 2  # two steps an epoch
    state = StateStore(tmp_path / "run" / "state", write=False).latest()
    assert state is not None
    assert state.step == kept


def test_a_score_that_no_longer_grows_ends_the_run_for_good(tiny_desert: Path, tmp_path: Path) -> None:
    recipe = SMALL.with_changes({"optimizer.learning_rate": 1e-30, "train.patience": 1})
    run = fit(tiny_desert, tmp_path / "run", recipe, progress=False)
    assert run.epoch == 1
    assert [row["epoch"] for row in json.loads((run.folder / "history.json").read_text())] == [1, 2]
    assert "no better miou in train.patience = 1: training ends" in (run.folder / "log.txt").read_text()
    with pytest.raises(UserError, match="has ended after 2 epochs"):
        resume(run.folder, progress=False)
