from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from desertseg.engine import Recipe
from desertseg.engine.run import RunFolder
from desertseg.errors import UserError
from desertseg.labels import load_labels

LABELS = load_labels("falcon")
PRINT = {"labels": LABELS.to_dict(), "frames": {"train": {"a": [1, 2]}, "val": {}}}


def row(epoch: int, **more: Any) -> dict[str, Any]:
    return {"epoch": epoch, "loss": 1 / epoch, "val_miou": None, "weights": "raw", "val_iou": {"Sky": 0.5}, **more}


def start(folder: Path, **given: Any) -> RunFolder:
    return RunFolder(folder, Recipe(), LABELS, "desert", fingerprint=PRINT, **given)


def names(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_nothing_is_written_before_it_begins(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    run.log("one")
    assert not run.path.exists()
    run.begin()
    assert names(run.path) == {"recipe.toml", "labels.toml", "environment.json", "data.json", "log.txt"}
    run.log("two")
    assert (run.path / "log.txt").read_text() == "one\ntwo\n"
    assert json.loads((run.path / "data.json").read_text()) == PRINT
    assert tomllib.loads((run.path / "recipe.toml").read_text()) == Recipe().to_dict()


def test_of_several_processes_one_writes(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("of the one that writes")
    run = start(tmp_path, write=False)
    run.log("one")
    run.record(row(1))
    assert names(tmp_path) == {"recipe.toml"}
    assert run.history == [row(1)]


def test_a_row_is_recorded_in_both_histories(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    run.record(row(1))
    run.record(row(2, ema_val_miou=0.5, loss=float("nan")))
    rows = json.loads((run.path / "history.json").read_text())
    assert rows == run.history
    assert rows[1]["loss"] is None
    with (run.path / "history.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert lines[0] == {"epoch": "1", "loss": "1.0", "val_miou": "", "weights": "raw", "ema_val_miou": ""}
    assert lines[1]["ema_val_miou"] == "0.5"


def test_a_new_run_clears_what_the_old_one_left_and_nothing_else(tmp_path: Path) -> None:
    for name in ("state/step-1.safetensors", "top/epoch-001-0.5.keras", "plots/a.png", "evaluation/x", "tensorboard/e"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
    for name in ("best.keras", "history.json", "notes.md"):
        (tmp_path / name).write_text("old")
    with pytest.raises(UserError, match="not empty"):
        start(tmp_path)
    run = start(tmp_path, overwrite=True)
    assert (tmp_path / "state" / "step-1.safetensors").exists()
    run.begin()
    assert names(tmp_path) == {"recipe.toml", "labels.toml", "environment.json", "data.json", "log.txt", "notes.md"}
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "new").write_text("")
    run.record(row(1))
    assert (tmp_path / "state" / "new").exists()


def test_a_reopened_run_goes_on_where_the_state_is(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.log("first")
    for epoch in (1, 2, 3):
        run.record(row(epoch))
    before = {n: (tmp_path / n).read_bytes() for n in names(tmp_path)}

    again = RunFolder.reopen(tmp_path, epochs=2)
    assert again.recipe == Recipe().to_dict()
    assert again.labels == LABELS.to_dict()
    assert again.fingerprint == PRINT
    assert again.data == "desert"
    assert again.history == run.history[:2]
    assert again.notes == []
    again.log("resumed")
    assert {n: (tmp_path / n).read_bytes() for n in names(tmp_path)} == before  # a refused resume changes nothing

    again.record(row(3))
    assert (tmp_path / "log.txt").read_text() == "first\nresumed\n"
    for name in ("history.json", "history.csv", "recipe.toml", "data.json"):
        assert (tmp_path / name).read_bytes() == before[name]
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert [r["epochs"] for r in environment["resumed"]] == [2]
    assert RunFolder.reopen(tmp_path, epochs=3).environment["resumed"][0] == environment["resumed"][0]


def test_a_run_that_lost_its_history_goes_on_and_says_so(tmp_path: Path) -> None:
    start(tmp_path).record(row(1))
    (tmp_path / "history.json").write_text("[{")
    run = RunFolder.reopen(tmp_path, epochs=1)
    assert run.history == []
    assert "history.json cannot be read" in run.notes[0]
    assert "has 0 of the 1 epochs" in run.notes[1]


def test_a_new_run_that_died_while_it_began_leaves_no_recipe_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tmp_path).record(row(1))

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("desertseg.engine.run.write_text", die)
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, overwrite=True).begin()
    with pytest.raises(UserError, match="holds no run"):
        RunFolder.reopen(tmp_path, epochs=0)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no run \(there is no recipe.toml\)"):
        RunFolder.reopen(tmp_path, epochs=0)
    (tmp_path / "recipe.toml").write_text("= what")
    with pytest.raises(UserError, match=r"recipe.toml cannot be read .* --weights starts a new one"):
        RunFolder.reopen(tmp_path, epochs=0)


def test_a_full_disk_is_one_line_and_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    run = start(tmp_path)
    run.record(row(1))
    with monkeypatch.context() as patch:
        patch.setattr("desertseg.engine.run.write_text", full)
        run.record(row(2))
        run.log("hello")
        assert run.problem == f"{tmp_path} cannot be written: No space left on device; training goes on"
        early = start(tmp_path / "b")
        early.record(row(1))
        assert early.problem
    run.record(row(3))
    assert run.problem is None
    assert [r["epoch"] for r in json.loads((tmp_path / "history.json").read_text())] == [1, 2, 3]
    early.record(row(2))
    assert early.problem is None
    assert (tmp_path / "b" / "recipe.toml").is_file()


def test_a_run_that_begins_at_its_second_try_keeps_what_it_wrote_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    run = start(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("desertseg.engine.run.write_text", full)
        run.begin()
    assert not run.begun
    (tmp_path / "best.keras").write_text("of this run")
    run.begin()
    assert run.begun
    assert (tmp_path / "best.keras").read_text() == "of this run"


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UserError, match=f"{tmp_path} cannot be written to; choose another --out"):
        start(tmp_path / "deep" / "run")
