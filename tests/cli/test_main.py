from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group, main

from desertseg.engine.recipe import Recipe

COMMANDS = ["fit", "evaluate", "predict", "benchmark", "synth", "demo"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, [str(a) for a in arguments])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"desertseg {command}" in result.output
    assert "--backend" in result.output


def test_the_defaults_in_the_help_are_the_recipes() -> None:
    text = run("fit", "--help").output
    recipe = Recipe()
    values = (recipe.train.epochs, recipe.train.batch_size, recipe.train.seed, recipe.optimizer.learning_rate)
    names = (recipe.model.name, recipe.model.backbone, recipe.loss.name, recipe.data.labels, recipe.data.resize)
    for value in (*values, *names, recipe.model.output_stride, "x".join(map(str, recipe.data.size))):
        assert f"[default: ({value})]" in " ".join(text.split())


def test_synth_evaluate_predict(tiny_run: Path, tmp_path: Path) -> None:
    result = run(
        "synth", "--out", tmp_path / "canyon", "--domain", "canyon", "--train", 0, "--val", 2, "--size", "48x80"
    )
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].endswith(f"next: desertseg fit --data {tmp_path / 'canyon'} --out runs/a")
    result = run(
        "evaluate", "--model", tiny_run / "best.keras", "--data", tmp_path / "canyon", "--out", tmp_path / "scores"
    )
    assert result.exit_code == 0, result.output
    assert "absent from the truth" in result.output  # the canyon has no flowers
    assert "present in the truth" in result.output
    assert result.output.splitlines()[-1].startswith(
        f"Wrote {tmp_path / 'scores'}, with report.html; next: desertseg predict"
    )
    assert json.loads((tmp_path / "scores" / "evaluation.json").read_text())["frames"] == 2
    frames = tmp_path / "canyon" / "val" / "Color_Images"
    result = run("predict", "--model", tiny_run / "best.keras", frames, "--out", tmp_path / "predictions")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("2 frames.\n")  # one batch, which compiled: no rate
    assert len(list((tmp_path / "predictions" / "overlays").iterdir())) == 2


def test_predict_ends_with_1_where_a_file_was_bad(tiny_run: Path, tiny_desert: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_desert / "val" / "Color_Images", tmp_path / "frames")
    (tmp_path / "frames" / "bad.png").write_bytes(b"no picture")
    result = run("predict", "--model", tiny_run / "best.keras", tmp_path / "frames", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "skipped: " in result.output
    assert "1 of 6 files could not be labelled" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "--data", "nowhere", "--out", "x"), "nowhere"),
        (("fit", "--data", "nowhere", "--out", "x", "--recipe", "none.toml"), "recipe none.toml cannot be read"),
        (("evaluate", "--model", "none.keras", "--data", "nowhere"), "model none.keras does not exist"),
        (("evaluate", "--model", "m", "--data", "d", "--index-offset", 0), "--index-offset needs --predictions"),
        (("evaluate", "--predictions", "p", "--data", "d", "--at", "input"), "--at needs --model"),
        (("predict", "--model", "none.keras", "a.png", "--out", "x"), "model none.keras does not exist"),
        (("synth", "--out", "x", "--domain", "moon"), "moon"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: tuple, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert not (tmp_path / "x").exists()
    assert result.exit_code == 2
    assert result.output.startswith("desertseg: ")
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize("size", ["192", "0x3", "axb", "1x2x3"])
def test_a_size_that_is_none(size: str) -> None:
    result = run("fit", "--data", "d", "--out", "o", "--size", size)
    assert result.exit_code == 2
    assert "write HEIGHTxWIDTH" in result.output


def test_the_package_holds_the_command_line() -> None:
    code = "import desertseg.cli.main as m; print(m.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "desertseg.cli.main"


@pytest.mark.parametrize(("raised", "code"), [(click.Abort(), 130), (click.UsageError("no such option"), 2)])
def test_the_exit_code_says_how_it_ended(raised: Exception, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(**options: object) -> None:
        raise raised

    monkeypatch.setattr(group, "main", stop)
    monkeypatch.setattr("os._exit", sys.exit)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code


def test_demo_walks_the_whole_road(tmp_path: Path) -> None:
    options = ("--frames", 8, "--held-out", 3, "--size", "32x64", "--epochs", 1)
    result = run("demo", "--out", tmp_path / "demo", *options)
    assert result.exit_code == 0, result.output
    home, canyon = result.output.split("a canyon it has never seen")
    assert "the desert it trained in, held-out frames" in home
    assert home.count("present in the truth") == canyon.count("present in the truth") == 1
    assert re.search(r"Flowers +absent from the truth", canyon)
    assert f"Wrote {tmp_path / 'demo'}; next: desertseg fit" in canyon
    assert len(list((tmp_path / "demo" / "predictions" / "overlays").iterdir())) == 6
    for split in ("desert-val", "canyon-val"):
        assert (tmp_path / "demo" / "run" / "evaluation" / split / "confusion_matrix.png").is_file()
