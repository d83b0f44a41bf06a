from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from desertseg.cli.main import group

from desertseg.data.catalogue import find_dataset, list_datasets
from desertseg.labels import load_labels


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["datasets", *arguments])


def test_the_list_has_every_data_set_with_classes_and_frames() -> None:
    lines = run().output.splitlines()
    names = [line.split()[0] for line in lines[2:] if line][: len(list_datasets())]
    assert names == [
        *("falcon", "freiburg_forest", "goose", "goose_ex", "rellis3d", "rugd", "tas500", "ycor", "folders"),
    ]
    assert next(line for line in lines if line.startswith("rugd ")).split()[1:5] == ["4779", "733", "1924", "24"]
    assert "5000 in all       63" in next(line for line in lines if line.startswith("goose_ex "))


@pytest.mark.parametrize("dataset", list_datasets(), ids=lambda d: d.name)
def test_each_says_what_one_has_to_know(dataset) -> None:
    shown = run(dataset.name).output
    for what in ("masks  ", "licence  ", "folder\n", "desertseg check DIR", "desertseg fit "):
        assert what in shown
    assert all(len(line) <= 120 for line in shown.splitlines())
    words = " ".join(shown.split())  # lines are folded to the terminal
    for name in dataset.labels:
        assert f"--labels {name}: {load_labels(name).description}" in words
    assert json.loads(run(dataset.name, "--json").output)["labels"] == list(dataset.labels)
    if dataset.name != "folders":
        assert "obtain  " in shown
        assert dataset.notes


def test_traps_are_named() -> None:
    assert "51.55 and 52.92" in " ".join(find_dataset("rellis3d").notes)
    assert "swap the names" in " ".join(find_dataset("rugd").notes)
    assert "Black is an obstacle" in " ".join(run("freiburg_forest").output.split())
    assert "no way back from its colours" in " ".join(run("goose").output.split())


def test_a_folder_is_told(tiny_desert: Path) -> None:
    result = run(str(tiny_desert))
    assert f"{tiny_desert} is laid out as: falcon\nlabels  falcon, unless" in result.output
    assert "\ntrain   8 frames, 8 with a mask" in result.output
    told = json.loads(run(str(tiny_desert), "--json").output)
    assert told["splits"]["val"]["masks"] == 5
    assert not told["cut"]


def test_a_wrong_name_is_answered_with_the_right_one() -> None:
    result = run("rudg")
    assert result.exit_code == 2
    assert "did you mean 'rugd'?" in result.output
