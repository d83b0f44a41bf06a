from __future__ import annotations

from pathlib import Path

import pytest

from desertseg.errors import UserError
from desertseg.files import prepare_folder, remove_leftovers, replacing, write_text


def test_replacing_leaves_the_old_file_when_the_writer_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "good")
    with pytest.raises(ZeroDivisionError), replacing(target) as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert target.read_text() == "good"
    assert list(tmp_path.iterdir()) == [target]


def test_replacing_makes_the_folder_and_keeps_the_suffix(tmp_path: Path) -> None:
    with replacing(tmp_path / "deep" / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        temporary.write_text("new")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["model.keras"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    kept = [tmp_path / name for name in ("last.keras", ".hidden", "plots/a-12345678.png", ".note-1234567.txt")]
    for path in kept:
        path.write_text("")
    for target in ("last.keras", "plots/iou.png", "bare"):
        with replacing(tmp_path / target) as temporary:
            left = temporary.name
            temporary.write_text("")
        (tmp_path / target).with_name(left).write_text("")  # as if the process had died before the renaming
        kept.append(tmp_path / target)
    kept = list(dict.fromkeys(kept))
    remove_leftovers(tmp_path)
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == sorted(kept)


def test_prepare_folder_refuses_what_it_would_bury(tmp_path: Path) -> None:
    assert prepare_folder(tmp_path / "new", overwrite=False).is_dir()
    (tmp_path / "new" / "x").write_text("")
    with pytest.raises(UserError, match=r"not empty; choose another --out, or --overwrite"):
        prepare_folder(tmp_path / "new", overwrite=False)
    assert prepare_folder(tmp_path / "new", overwrite=True) == tmp_path / "new"
    with pytest.raises(UserError, match="is a file"):
        prepare_folder(tmp_path / "new" / "x", overwrite=True)
