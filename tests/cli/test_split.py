"""desertseg split"""

import json
import shutil
import subprocess
import sys

from click.testing import CliRunner
from desertseg.cli.main import group

from desertseg.data import find_frames, load_dataset


def run(*arguments):
    return CliRunner().invoke(group, ["split", *map(str, arguments)])


def test_lists_stand_for_the_folder(tiny_desert, tmp_path):
    done = run(tiny_desert, "--out", tmp_path / "lists", "--val", 0.3)
    assert done.exit_code == 0, done.output
    assert "Near twins: 0 of" in done.output
    assert "in the old split" in done.output
    assert done.output.splitlines()[-1] == (
        f"Wrote {tmp_path / 'lists'}; next: desertseg fit --data {tmp_path / 'lists'} --out runs/a"
    )
    every = {f.image.resolve() for f in find_frames(tiny_desert)}
    train, val = (find_frames(tmp_path / "lists", side) for side in ("train", "val"))
    assert {f.image.resolve() for f in train + val} == every
    assert len(train) + len(val) == len(every) == 13
    assert {f.mask.stem for f in val} == {f.image.stem for f in val}
    batches = list(load_dataset(tmp_path / "lists", "val", size=(16, 32), batch_size=2, drop_remainder=False))
    assert sum(len(images) for images, _ in batches) == len(val)
    values = json.loads((tmp_path / "lists" / "split.json").read_text())
    assert values["frames"] == {"train": len(train), "val": len(val), "left_out": 0}
    assert [c["name"] for c in values["classes"]][-1] == "Sky"


def test_it_is_reproducible_and_needs_no_keras(tiny_desert, tmp_path):
    code = (
        "import sys; from desertseg.cli.main import group;"
        f"group.main(['split', {str(tiny_desert)!r}, '--out', 'b', '--gap', '1'], standalone_mode=False);"
        "print(sorted({'keras', 'jax', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]"
    assert run(tiny_desert, "--out", tmp_path / "a", "--gap", 1).exit_code == 0
    for name in ("train.txt", "val.txt", "split.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    again = run(tiny_desert, "--out", tmp_path / "a")
    assert again.exit_code == 2
    assert "is not empty" in again.output
    again = run(tmp_path / "a", "--out", tmp_path / "c")  # lists can be cut anew
    assert again.exit_code == 0, again.output


def test_a_broken_image_is_one_line(tiny_desert, tmp_path):
    shutil.copytree(tiny_desert, tmp_path / "data")
    next((tmp_path / "data" / "val" / "Color_Images").iterdir()).write_bytes(b"")
    done = run(tmp_path / "data", "--out", tmp_path / "lists")
    assert done.exit_code == 2
    assert "is empty (0 bytes)" in done.output
    assert not (tmp_path / "lists").exists()
