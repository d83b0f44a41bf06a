"""desertseg stats"""

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from desertseg.cli.main import group


def run(*arguments):
    return CliRunner().invoke(group, ["stats", *map(str, arguments)])


def test_numbers_pages_and_two_splits_side_by_side(tiny_desert, tmp_path):
    done = run(
        tiny_desert, "--split", "train", "--split", "val", "--out", tmp_path / "s", "--json", tmp_path / "s.json"
    )
    assert done.exit_code == 0, done.output
    assert done.output.startswith("label map: falcon, as the folder is laid out like falcon")
    assert "A: desert, train; B: desert, val." in done.output
    assert f"Wrote {tmp_path / 's'}; open {tmp_path / 's' / 'stats.html'}" in done.output
    values = json.loads((tmp_path / "s.json").read_text())
    assert values == json.loads((tmp_path / "s" / "stats.json").read_text())
    assert [one["frames"] for one in values["data"]] == [8, 5]
    assert run(tiny_desert, "--out", tmp_path / "s").exit_code == 2  # not empty


def test_one_folder_in_the_terminal_alone_needs_no_keras(tiny_desert):
    code = (
        "import sys; from desertseg.cli.main import group;"
        f"group.main(['stats', {str(tiny_desert)!r}, '--labels', 'falcon'], standalone_mode=False);"
        "print(sorted({'keras', 'jax', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "desert: 13 frames of 80x48" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_bad_frame_is_left_out_and_reported(tiny_desert, tmp_path):
    shutil.copytree(tiny_desert / "val", tmp_path / "val")
    next((tmp_path / "val" / "Segmentation").iterdir()).write_bytes(b"no picture")
    done = run(tmp_path / "val")
    assert done.exit_code == 1
    assert "left out: mask" in done.output
    assert "1 of 5 frames could not be counted" in done.output


@pytest.mark.parametrize("arguments", [("a", "b", "c"), ("a", *("--split", "x") * 3), ("nowhere",)])
def test_what_cannot_be_counted_is_one_line(arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert len(done.output.strip().splitlines()) == 1
    assert done.output.startswith("desertseg: ")


def test_numbers_that_cannot_be_written_are_one_line(tiny_desert, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(tiny_desert, "--split", "val", "--json", tmp_path / "file" / "s.json")
    assert done.exit_code == 2
    assert "s.json cannot be written" in done.output
