"""Every data set as downloaded goes through check, stats, one epoch of fit, and evaluate, on the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from desertseg.cli.main import group

from desertseg.data import find_frames
from desertseg.labels import load_labels

NAMES = ["falcon", "rugd", "rellis3d", "goose", "goose_ex", "tas500", "ycor", "freiburg_forest", "folders"]
JAX = os.environ.get("KERAS_BACKEND", "jax") == "jax"
QUICK = ["rugd"] if JAX else []  # whose masks hold colours, in nested folders, with splits by sequence
TINY = """
[data]
size = [14, 28]
[model]
name = "linear"
open_blocks = "all"
options = {width = 16, depth = 1, num_heads = 2}
[loss]
name = "cross_entropy"
[augment]
flip = 0.0
scale = [1.0, 1.0]
[train]
epochs = 1
batch_size = 2
"""


def run(*arguments: object) -> str:
    result = CliRunner().invoke(group, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", NAMES)
def test_check_and_stats(downloaded: Callable, tmp_path: Path, name: str) -> None:
    made = downloaded(name)
    given = ("--labels", made.labels) if name == "folders" else ()
    assert f"label map: {made.labels}" in run("check", made.folder, *given)
    found = tmp_path / "stats.json"
    run("stats", made.folder, "--split", "all", "--json", found, *given)
    numbers = json.loads(found.read_text())
    truth = np.concatenate([t.ravel() for t in made.truth.values()])
    assert numbers["data"][0]["labels"] == made.labels
    pixels = {row["name"]: row["pixels"] for row in numbers["data"][0]["classes"]}
    assert pixels == {label: (truth == label).sum() for label in load_labels(made.labels).names}


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NAMES])
def test_fit_and_evaluate(downloaded: Callable, tmp_path: Path, name: str) -> None:
    made = downloaded(name)
    (tmp_path / "tiny.toml").write_text(TINY)
    labels = ("--labels", made.labels) if name == "folders" else ()
    data = made.folder / "freiburg_forest_annotated/train" if name == "freiburg_forest" else made.folder
    told = run("fit", "--data", data, "--out", tmp_path / "run", "--recipe", tmp_path / "tiny.toml", *labels)
    if not labels:
        assert f"labels: {made.labels}, " in told
        assert f"laid out like {made.labels}" in told
    split = "test" if "test" in made.splits else "val"
    best = tmp_path / "run/best.keras"
    told = run(
        "evaluate",
        "--model",
        best,
        "--data",
        made.folder,
        "--split",
        split,
        "--out",
        tmp_path / "scores",
        "--no-boundaries",
    )
    assert f"{made.splits[split]} frames" in told
    assert (tmp_path / "scores/report.html").is_file()
    report = json.loads((tmp_path / "scores/evaluation.json").read_text())
    scored = [made.truth[f.image] for f in find_frames(made.folder, split)]
    assert report["pixels"] == sum((truth != "(ignored)").sum() for truth in scored)
