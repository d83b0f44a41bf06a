from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group

from desertseg.label_mapping import load_mapping
from desertseg.labels import available_labels, load_labels


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["labels", *(str(a) for a in arguments)])


def test_maps_are_listed() -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert all(f"\n{name} " in result.output for name in available_labels())
    assert [m["name"] for m in json.loads(run("--json").output)] == available_labels()


def test_one_is_shown_by_its_name_alone(tmp_path: Path) -> None:
    assert run("falcon").output == run("show", "falcon").output
    assert "    9   10000  Sky" in run("falcon").output
    assert json.loads(run("falcon", "--json").output) == load_labels("falcon").to_dict()
    (tmp_path / "own.toml").write_text(run("falcon7", "--toml").output)
    assert load_labels(tmp_path / "own.toml") == load_labels("falcon7")


def test_a_draft_is_written_or_printed(tiny_desert: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    result = run("new", "--from", tiny_desert, "--out", path)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].startswith(f"Wrote {path}: name its classes")
    assert load_labels(path).name == "own"
    result = run("new", "--from", tiny_desert, "--out", path)
    assert result.exit_code == 2
    assert "exists; choose another --out, or --overwrite" in result.output
    assert run("new", "--from", tiny_desert, "--out", path, "--overwrite", "--name", "x").exit_code == 0
    assert load_labels(path).name == "x"
    assert run("new", "--from", tiny_desert).output.startswith("# Drafted from 13 masks")


def test_a_mask_that_cannot_be_read_is_said(tiny_desert: Path, tmp_path: Path) -> None:
    good = next((tiny_desert / "val" / "Segmentation").iterdir())
    (tmp_path / "a.png").write_bytes(good.read_bytes())
    (tmp_path / "b.png").write_bytes(good.read_bytes()[:100])
    result = run("new", "--from", tmp_path)
    assert result.exit_code == 1
    assert "left out: mask " in result.output
    assert "cut off after 100 bytes" in result.output


def test_a_correspondence_is_drafted_checked_and_merged(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(run("falcon", "--toml").output)
    path = tmp_path / "maps" / "own_to_rugd.toml"
    result = run("map", tmp_path / "own.toml", "rugd", "--out", path)
    assert result.exit_code == 0, result.output
    assert 'from = "../own.toml"' in path.read_text()
    result = run("map", path)
    assert result.exit_code == 0, result.output
    assert "not scored, of rugd: " in result.output
    assert json.loads(run("map", path, "--json").output) == load_mapping(path).to_dict()
    assert run("map", path, "--merged", "--out", tmp_path / "common.toml").exit_code == 0
    assert load_labels(tmp_path / "common.toml") == load_mapping(path).merged_source
    assert run("map", "falcon", "rugd").output.startswith("# A model that answers in the classes of falcon")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mars",), "no label map 'mars'"),
        (("map", "falcon", "mars"), "no label map 'mars'"),
        (("map", "falcon"), "make one with `desertseg labels map`"),
        (("map", "falcon", "rugd", "--merged"), "leave TO out"),
        (("map", "falcon", "rugd", "--out", "a.txt"), "ends in .toml"),
        (("new", "--from", "nowhere"), "data folder nowhere does not exist"),
    ],
)
def test_what_cannot_be_done(arguments: tuple, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_no_keras_is_imported(tiny_desert: Path) -> None:
    code = (
        "import sys; from desertseg.cli.main import group\n"
        f"group(['labels', 'new', '--from', {str(tiny_desert)!r}], standalone_mode=False)\n"
        "group(['labels', 'map', 'falcon', 'rugd'], standalone_mode=False)\n"
        "print(sorted({'keras', 'jax', 'tensorflow', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
