from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from desertseg.cli.main import group

from desertseg.engine.gap import Gap

VALUES = {
    "source": "home",
    "target": "away",
    "frames": {"training": 24, "source": 6, "target": 7},
    "distance": {
        "threshold": 2.0,
        "source": {"median": 1.0, "outside": 0.0},
        "target": {"median": 3.0, "outside": 3 / 7},
        "separation": 0.9,
    },
    "confidence": {"source": 0.9, "target": 0.8, "separation": 0.7, "temperature": 1.0},
    "appearance": [{"name": "red", "shift": -1.5}, {"name": "blue", "shift": None}],
    "expected": {"source": {"miou_all": 0.5}, "believed": {"miou_all": 0.4}, "shifted": {"miou_all": 0.3}},
    "measured": {"source": {"miou_all": 0.51}, "target": {"miou_all": 0.25}},
    "notes": ["a remark"],
}


def test_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def gap(*given: object, **named: object) -> Gap:
        asked.update(named, given=given)
        return Gap(VALUES, None, ((Path("x.png"), "image x.png is broken"),))

    monkeypatch.setattr(sys.modules[Gap.__module__], "gap", gap)
    options = ["gap", "--model", "m.keras", "--source", "home", "--target", "away", "--target-split", "val"]
    result = CliRunner().invoke(group, options)
    assert result.exit_code == 1  # for the file that could not be read
    assert asked["given"] == ("m.keras", "home", "away")
    assert (asked["source_split"], asked["target_split"]) == ("val", "val")
    lines = [line.split() for line in result.output.splitlines()]
    assert ["expected", "mIoU", "over", "all", "classes", "0.500", "0.300–0.400"] in lines
    assert ["...", "and", "what", "it", "really", "is", "0.510", "0.250"] in lines
    assert "Partly unfamiliar: 3 of 7 frames lie outside" in result.output
    assert "0.050 below what was expected" in result.output
    assert "red -1.5" in result.output
    assert "a remark" in result.output
    assert "left out: image x.png is broken" in result.output


def test_a_model_that_is_not_there() -> None:
    result = CliRunner().invoke(group, ["gap", "--model", "no.keras", "--source", "a", "--target", "b"])
    assert result.exit_code == 2
    assert "model no.keras does not exist" in result.output
