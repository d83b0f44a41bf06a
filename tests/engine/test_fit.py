from __future__ import annotations

import csv
import json
import shutil
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.engine import Recipe, fit, load_segmenter, resume
from desertseg.engine.history import TIMED
from desertseg.engine.schedules import learning_rates
from desertseg.errors import UserError
from desertseg.labels import load_labels


def test_a_run_leaves_its_files(tiny_run: Path) -> None:
    names = {
        str(p.relative_to(tiny_run)) for p in tiny_run.rglob("*") if p.is_file() and p.parent.name in ("tiny", "plots")
    }
    assert names == {
        "recipe.toml", "labels.toml", "data.json", "environment.json", "history.csv", "history.json", "log.txt",
        "best.keras", "last.keras", "plots/curves.png", "plots/class_iou.png", "plots/per_class_iou.png",
    }  # fmt: skip
    assert Recipe.from_dict(tomllib.loads((tiny_run / "recipe.toml").read_text())).data.size == (32, 64)
    assert tomllib.loads((tiny_run / "labels.toml").read_text()) == load_labels("falcon").to_dict()
    assert json.loads((tiny_run / "environment.json").read_text())["backend"] in ("jax", "tensorflow")
    for plot in (tiny_run / "plots").iterdir():
        assert cv2.imread(str(plot)).std() > 10


def test_history_is_the_same_in_both_files(tiny_run: Path) -> None:
    rows = json.loads((tiny_run / "history.json").read_text())
    with (tiny_run / "history.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [r["epoch"] for r in rows] == [1, 2]
    for row, line in zip(rows, lines, strict=True):
        assert set(row["val_iou"]) == set(load_labels("falcon").names)
        assert line.pop("weights") == row["weights"] == "raw"
        numbers = {k: v for k, v in row.items() if k not in ("val_iou", "weights")}
        assert {k: float(v) for k, v in line.items()} == numbers
        assert row["gap"] == pytest.approx(row["miou"] - row["val_miou"])
    rates = learning_rates(Recipe().optimizer, 2, 2)
    assert [r["learning_rate"] for r in rows] == pytest.approx([rates[1], rates[3]])


def test_the_model_file_knows_everything(tiny_run: Path) -> None:
    segmenter = load_segmenter(tiny_run / "best.keras")
    assert segmenter.labels == load_labels("falcon")
    assert segmenter.size == (32, 64)
    assert Recipe.from_dict(segmenter.recipe).train.epochs == 2


def test_training_moves_every_weight(tiny_run: Path, tiny_desert: Path) -> None:
    import keras

    from desertseg.models import build_segmenter

    keras.utils.set_random_seed(0)
    fresh = build_segmenter("deeplabv3plus", "resnet18", size=(32, 64)).weights
    trained = load_segmenter(tiny_run / "last.keras").weights
    still = [
        a.path
        for a, b in zip(trained, fresh, strict=True)
        if "seed" not in a.path and np.array_equal(np.asarray(a.value), np.asarray(b.value))
    ]
    assert still == []


@pytest.mark.slow
def test_two_runs_of_one_seed_are_identical(tiny_desert: Path, tmp_path: Path) -> None:
    histories = []
    for name in ("a", "b"):
        fit(tiny_desert, tmp_path / name, size=(32, 64), epochs=2, batch_size=4, progress=False)
        rows = json.loads((tmp_path / name / "history.json").read_text())
        histories.append([{k: v for k, v in r.items() if k not in TIMED} for r in rows])
    assert histories[0] == histories[1]


def test_bad_data_costs_nothing_that_was_there(tiny_desert: Path, tiny_run: Path, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(tiny_desert, data)
    shutil.copytree(tiny_run, run)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    mask = next((data / "train" / "Segmentation").iterdir())
    cv2.imwrite(str(mask), np.full((48, 80), 77, np.uint16))
    for out in (run, tmp_path / "new"):
        with pytest.raises(UserError, match=rf"mask .*{mask.name} holds id 77 \(3,840 pixels\)"):
            fit(data, out, size=(32, 64), epochs=1, batch_size=4, overwrite=True, progress=False)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_trained_is_refused_before_it_costs_anything(
    tiny_desert: Path, tiny_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="not empty; choose another --out, or --overwrite"):
        fit(tiny_desert, tiny_run, progress=False)
    with pytest.raises(UserError, match="8 training frames, fewer than one batch; use --batch-size 8"):
        fit(tiny_desert, tmp_path / "a", batch_size=9, progress=False)
    with pytest.raises(UserError, match=r"no loss \(did you mean 'dice'\?\)"):
        fit(tiny_desert, tmp_path / "a", loss="dise", progress=False)
    with pytest.raises(UserError, match=r"no backbone 'resnet19'.*did you mean 'resnet1"):
        fit(tiny_desert, tmp_path / "b", backbone="resnet19", progress=False)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_a_run_starts_from_another_with_one_flag(tiny_run: Path, tiny_desert: Path, tmp_path: Path) -> None:
    run = fit(
        tiny_desert,
        tmp_path / "next",
        weights=str(tiny_run / "best.keras"),
        labels="falcon7",
        size=(32, 64),
        epochs=1,
        batch_size=4,
        progress=False,
    )
    recipe = tomllib.loads((run.folder / "recipe.toml").read_text())["model"]
    assert (recipe["name"], recipe["backbone"], recipe["output_stride"]) == ("deeplabv3plus", "resnet18", 16)
    log = (run.folder / "log.txt").read_text()
    assert f"weights: network from {tiny_run / 'best.keras'} (desertseg)" in log
    assert "weights: classifier/kernel starts anew: the file has 10 classes, the model 7" in log


def test_weights_that_do_not_fit_cost_nothing(tiny_desert: Path, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"")
    with pytest.raises(UserError, match=r"w\.pth"):
        fit(tiny_desert, tmp_path / "next", weights=str(tmp_path / "w.pth"), progress=False)
    assert not (tmp_path / "next").exists()


def test_a_run_that_has_lost_some_files_is_known_by_its_state(
    tiny_run: Path, tiny_desert: Path, tmp_path: Path
) -> None:
    """What cannot be compared refuses nothing, nor does a checkpoint that has gone; what is left to say is the end."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / "data.json").unlink()
    (run / "environment.json").write_text("{")
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace('weights = ""', 'weights = "gone.pth"'))
    with pytest.raises(UserError, match="no longer says on which frames it was trained; give --data"):
        resume(run, progress=False)
    with pytest.raises(UserError, match="has ended after 2 epochs"):
        resume(run, data=tiny_desert, progress=False)
