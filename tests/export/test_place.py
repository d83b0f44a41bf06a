from __future__ import annotations

import os
from pathlib import Path

import pytest

from desertseg.errors import UserError
from desertseg.export.place import check_place, placing


def test_what_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "a.xml"
    (tmp_path / "a.bin").write_text("old")
    with pytest.raises(UserError, match=r"a\.bin exists; choose another --out, or --overwrite"):
        check_place(out, "openvino", overwrite=False)
    assert check_place(out, "openvino", overwrite=True) == out


def test_a_folder_that_is_no_savedmodel_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(UserError, match="is something else than an export"):
        check_place(tmp_path / "thesis", "savedmodel", overwrite=True)


def test_two_files_and_folders_are_moved_whole(tmp_path: Path) -> None:
    with placing(tmp_path / "deep" / "a.xml", "openvino") as made:
        made.write_text("xml")
        made.with_suffix(".bin").write_text("bin")
        made.with_name("scratch").write_text("x")
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["a.bin", "a.xml"]
    for content in ("old", "new"):
        with placing(tmp_path / "saved", "savedmodel") as made:
            made.mkdir()
            (made / "saved_model.pb").write_text(content)
    assert (tmp_path / "saved" / "saved_model.pb").read_text() == "new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "saved"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("old")
    with pytest.raises(FileNotFoundError), placing(tmp_path / "a.onnx", "onnx") as made:
        made.with_name("other").rename(made)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.onnx", "old")]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(UserError, match=r"--out .*a\.onnx cannot be written: .*; choose another place"),
        placing(tmp_path / "file" / "a.onnx", "onnx"),
    ):
        pass
    assert os.listdir(tmp_path) == ["file"]
