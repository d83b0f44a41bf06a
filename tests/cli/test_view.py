"""desertseg view"""

import shutil
import subprocess
import sys

import cv2
import pytest
from click.testing import CliRunner
from desertseg.cli.main import group


def run(*arguments):
    return CliRunner().invoke(group, ["view", *map(str, arguments)])


def test_a_sheet_by_class_needs_no_keras(tiny_desert, tmp_path):
    code = (
        "import sys; from desertseg.cli.main import group;"
        f"group.main(['view', {str(tiny_desert)!r}, '--out', 's.png', '--frames', '1'], standalone_mode=False);"
        "print(sorted({'keras', 'jax', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "Wrote s.png: 10 frames under 10 headings." in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
    assert cv2.imread(str(tmp_path / "s.png")).shape[0] > 1000


def test_by_scene_without_masks_and_as_jpeg(tiny_desert, tmp_path):
    shutil.copytree(tiny_desert / "val" / "Color_Images", tmp_path / "frames")
    (tmp_path / "frames" / "bad1.png").write_bytes(b"no picture")
    done = run(tmp_path / "frames", "--by", "scene", "--out", tmp_path / "s.jpg", "--frames", 2, "--width", 64)
    assert done.exit_code == 1
    assert "left out: image" in done.output
    assert "headings." in done.output
    assert cv2.imread(str(tmp_path / "s.jpg")) is not None


def test_only_some(tiny_desert, tmp_path):
    options = ("--out", tmp_path / "s.png", "--frames", 2, "--width", 40)
    done = run(tiny_desert, *options, "--only", "Sky, Logs", "--split", "val")
    assert done.exit_code == 0, done.output
    assert "under 2 headings" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out", "s.gif"), "is no picture's name"),
        (("--out", "s.png", "--only", "Rock"), "has no 'Rock' (did you mean 'Rocks'?)"),
        (("--out", "s.png", "--by", "scene", "--only", "nowhere"), "the folder has no 'nowhere'"),
        (("--out", "s.png", "--split", "test"), "has no split 'test'"),
    ],
)
def test_what_cannot_be_shown_is_one_line(tiny_desert, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    done = run(tiny_desert, *options)
    assert done.exit_code == 2
    assert message in done.output
    assert not list(tmp_path.iterdir())
