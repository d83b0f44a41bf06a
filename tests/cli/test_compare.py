from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from desertseg.cli.main import group

from desertseg.labels import load_labels


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["compare", *arguments])


def write_evaluation(folder: Path, hits: int) -> Path:
    """A run of six frames, 100 Trees each, of which so many are found; the rest is called Sky."""
    counts = np.zeros((6, 10, 10), np.int32)
    counts[:, 0, 0], counts[:, 0, 9] = hits + np.arange(6), 100 - hits - np.arange(6)
    inner = folder / "evaluation" / "yard-val"
    inner.mkdir(parents=True)
    (inner / "evaluation.json").write_text(json.dumps({"label_map": load_labels("falcon").to_dict()}))
    names, scenes = np.array([f"w{i}" for i in range(6)]), np.array(list("aabbcc"))
    np.savez(inner / "frames.npz", names=names, scenes=scenes, confusion=counts, unanswered=np.zeros((6, 10), int))
    return folder


def test_a_table_a_run_with_verdicts(tmp_path: Path) -> None:
    a, b, c = (write_evaluation(tmp_path / name, hits) for name, hits in (("a", 50), ("b", 70), ("c", 20)))
    result = run(str(a), str(b), str(c), "--json", str(tmp_path / "d.json"))
    assert result.exit_code == 0, result.output
    rows = [line for line in result.output.splitlines() if line.startswith("Trees")]
    assert [row.split()[1:4] for row in rows] == [["0.5250", "0.7250", "+0.2000"], ["0.5250", "0.2250", "-0.3000"]]
    assert rows[0].endswith("  better")
    assert rows[1].endswith("  worse")
    assert "6 frames in common, 600 pixels" in result.output
    assert len(json.loads((tmp_path / "d.json").read_text())["runs"]) == 2


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    a = write_evaluation(tmp_path / "a", 50)
    for arguments, message in (([str(a)], "two or more"), ([str(a), str(tmp_path / "b")], "does not exist")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert message in result.output
        assert len(result.output.splitlines()) == 1
