from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group

from desertseg.engine import Predictions
from desertseg.engine.outputs import OUTPUTS, OutputError
from desertseg.engine.priors import Priors
from desertseg.labels import load_labels


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["predict", "--model", "m.keras", *map(str, arguments), "--out", "out"])


def answer_with(monkeypatch: pytest.MonkeyPatch, result: Predictions | Exception) -> list[dict[str, Any]]:
    """Have the engine answer so; returns a list that gets the options it is called with."""
    calls: list[dict[str, Any]] = []

    def predict(model: str, frames: tuple[str, ...], out: str, **options: Any) -> Predictions:
        calls.append({"model": model, "frames": frames, "out": out, **options})
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr("desertseg.engine.predict", predict)
    return calls


def made(**facts: Any) -> Predictions:
    return Predictions(**{"folder": Path("out"), "labels": load_labels("falcon"), "frames": ("a", "b", "c")} | facts)


def test_options_reach_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answer_with(monkeypatch, made())
    options = ("--outputs", "masks, entropy,", "--suppress", "Flowers,Ground Clutter", "--window", "64x128")
    result = run("a.png", "-", *options, "--confidence", "0.6", "--priors", "estimated", "--masks", "truth")
    assert result.exit_code == 0, result.output
    assert calls[0]["frames"] == ("a.png", "-")
    assert calls[0]["outputs"] == ("masks", "entropy")
    assert calls[0]["suppress"] == ("Flowers", "Ground Clutter")
    expected = {"window": (64, 128), "confidence": 0.6, "priors": "estimated", "masks": "truth", "overlap": 0.5}
    assert {key: calls[0][key] for key in expected} == expected
    run("a.png")
    assert calls[1]["outputs"] == ("masks", "masks_color", "overlays")
    assert calls[1]["suppress"] == ()


def test_what_was_done_and_what_was_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = np.full(10, 0.1)
    target = shares + np.array([-0.05, 0, 0, 0, 0, 0, 0, 0.05, 0, 0])
    facts = {"images_per_second": 12.34, "idle": 0.256, "views": 2, "views_cost": 1.93, "unfamiliar": ("b",)}
    failures = tuple((Path(f"{i}.png"), f"image {i}.png is empty") for i in range(12))
    priors = Priors(shares, target, np.zeros(10, np.float32))
    answer_with(monkeypatch, made(**facts, priors=priors, failures=failures, look=Path("out/overlays/a.png")))
    result = run("frames")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == "3 frames, 12.3 images/s after the first batch, device idle 26 % of the time."
    assert lines[1] == "tta: 2 views a frame, 1.9 times the time of one."
    assert "Trees 10.0 -> 5.0 %" in lines[2]
    assert "1 of 3 frames lies outside" in lines[3]
    assert [line for line in lines if line.startswith("skipped: ")][-1] == "skipped: 2 more"
    assert lines[-2] == "Wrote out; look at out/overlays/a.png"
    assert lines[-1] == "12 of 15 files could not be labelled"


def test_a_full_disk_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, OutputError("out/masks/a.png cannot be written: No space left on device"))
    result = run("a.png")
    assert result.exit_code == 1
    assert result.output == "desertseg: out/masks/a.png cannot be written: No space left on device\n"


def test_the_help_names_every_output() -> None:
    text = run("--help").output
    assert all(f"  {kind} " in text for kind in OUTPUTS)
