from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.errors import UserError
from desertseg.ui.answer import answer_frame
from desertseg.ui.case import save_case, write_files
from desertseg.ui.given import Given, Options
from desertseg.ui.shelf import Opened, Shelf


def test_a_case_tells_the_numbers_and_links_its_pictures(good: Opened, given: Given, tmp_path: Path) -> None:
    answer = answer_frame(good, given, Options(suppress=("Sky",)))
    report = save_case([answer], "Bushes are *grass*.", tmp_path / "cases")
    assert report == tmp_path / "cases" / "a0" / "case.md"
    text = report.read_text()
    assert answer.score
    assert f"**mIoU {answer.score.scores.miou:.3f}**" in text
    assert "Bushes are \\*grass\\*." in text
    assert "- suppressed: Sky" in text
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) == 3
    for link in links:
        assert cv2.imread(str(report.parent / link)) is not None
    (mask,) = report.parent.glob("*/mask.png")
    stored = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored, good.labels.decode(answer.prediction))
    assert stored.dtype == np.uint16


def test_a_second_case_of_a_frame_buries_none(good: Opened, given: Given, tmp_path: Path) -> None:
    answer = answer_frame(good, replace(given, mask=None), Options())
    reports = [save_case([answer], "", tmp_path) for _ in range(3)]
    assert [report.parent.name for report in reports] == ["a0", "a0-2", "a0-3"]


def test_two_models_share_a_case(shelf: Shelf, models: Path, given: Given, tmp_path: Path) -> None:
    answers = [answer_frame(shelf.open(str(models / f"{n}.keras")), given, Options()) for n in ("good", "other")]
    report = save_case(answers, "", tmp_path)
    assert len(list(report.parent.glob("*/mask.png"))) == 2
    assert report.read_text().count("### Classes") == 2


def test_a_name_never_leads_out_of_the_folder(good: Opened, given: Given, tmp_path: Path) -> None:
    answer = answer_frame(good, replace(given, name="../../etc/..:evil.png"), Options())
    report = save_case([replace(answer, model="../../x")], "", tmp_path / "cases")
    inside = (tmp_path / "cases").resolve()
    assert report.resolve().is_relative_to(inside)
    assert {path.resolve().is_relative_to(inside) for path in tmp_path.rglob("*.*")} == {True}


@pytest.mark.parametrize("kind", ["masks", "masks_color", "overlays"])
def test_downloads_are_what_predict_writes(good: Opened, given: Given, tmp_path: Path, kind: str) -> None:
    answer = answer_frame(good, given, Options())
    (path,) = write_files([answer], kind, tmp_path)
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if kind == "masks":
        np.testing.assert_array_equal(stored, good.labels.decode(answer.prediction))
    elif kind == "masks_color":
        np.testing.assert_array_equal(stored[..., ::-1], good.labels.colorize(answer.prediction))
    else:
        assert stored.shape[0] == 24
        assert stored.shape[1] > 40
    with pytest.raises(UserError, match="there is no file 'secrets'"):
        write_files([answer], "secrets", tmp_path)


def test_what_cannot_be_saved_is_a_sentence(good: Opened, given: Given, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no case to save yet"):
        save_case([], "", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be saved in"):
        save_case([answer_frame(good, given, Options())], "", tmp_path / "file")
