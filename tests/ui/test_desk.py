from __future__ import annotations

import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.data.video import VideoReader, VideoWriter
from desertseg.errors import UserError
from desertseg.ui import clip, desk
from desertseg.ui.desk import Desk, show_results
from desertseg.ui.given import Given, Options
from desertseg.ui.shelf import Shelf
from desertseg.ui.viewer import describe


@pytest.fixture
def at(shelf: Shelf, tmp_path: Path) -> Desk:
    (tmp_path / "scratch").mkdir()
    return Desk(shelf, None, tmp_path / "cases", tmp_path / "scratch")


def test_what_one_model_cannot_do_does_not_keep_the_other_from_it(at: Desk, models: Path, given: Given) -> None:
    good, nan = (str(models / f"{name}.keras") for name in ("good", "nan"))
    told = at.answer(given, [good, nan, "missing.keras"], Options())
    assert [answer.model for answer in told.answers] == [good]
    assert len(told.problems) == 2
    assert told.problems[0].startswith(f"Model {nan} gives no numbers for a0.png")
    assert told.problems[1].startswith("This page offers no model 'missing.keras'")


def test_a_broken_frame_is_told_once(at: Desk, models: Path, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"broken")
    names = [str(models / f"{name}.keras") for name in ("good", "other")]
    told = at.answer(Given(tmp_path / "x.png", "x.png"), names, Options())
    assert told.answers == ()
    assert len(told.problems) == 1


def test_a_lack_of_memory_is_a_sentence_and_other_faults_are_not(
    at: Desk, models: Path, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: Exception) -> None:
        def answer(*arguments: object) -> None:
            raise error

        monkeypatch.setattr(desk, "answer_frame", answer)

    good = str(models / "good.keras")
    for error in (MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: out of memory")):
        fail(error)
        assert "memory is too small" in at.answer(given, [good], Options()).problems[0]
    fail(RuntimeError("a fault"))
    with pytest.raises(RuntimeError, match="a fault"):
        at.answer(given, [good], Options())


def test_two_users_get_each_their_own_answer(at: Desk, models: Path, given: Given, data: Path) -> None:
    other = replace(given, image=data / "val" / "Color_Images" / "b1.png", name="b1.png", mask=None)
    good, found = str(models / "good.keras"), {}

    def ask(which: Given) -> None:
        for _ in range(3):
            found.setdefault(which.name, []).append(at.answer(which, [good], Options()).answers[0])

    threads = [threading.Thread(target=ask, args=(which,)) for which in (given, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for which in (given, other):
        alone = at.answer(which, [good], Options()).answers[0].prediction
        assert all(np.array_equal(answer.prediction, alone) for answer in found[which.name])


def test_the_page_says_which_model_serves(shelf: Shelf, tmp_path: Path, models: Path) -> None:
    assert "No model was given, so desert-small answers" in Desk(Shelf(), None, tmp_path, tmp_path).welcome
    assert Desk(shelf, None, tmp_path, tmp_path).welcome.startswith("4 models: ")
    missing = Shelf([models / "good.keras", tmp_path / "no.keras"])
    assert missing.missing == (str(tmp_path / "no.keras"),)


def test_classes_are_those_of_the_models_that_can_be_opened(at: Desk, models: Path, shelf: Shelf) -> None:
    good = str(models / "good.keras")
    assert at.classes([good, "missing"]) == list(shelf.open(good).labels.names)


def test_a_file_of_one_answer_is_itself_and_of_two_an_archive(at: Desk, models: Path, given: Given) -> None:
    names = [str(models / f"{name}.keras") for name in ("good", "other")]
    answers = at.answer(given, names, Options()).answers
    assert at.file_of(answers[:1], "masks").name == "a0.png"
    archive = at.file_of(answers, "masks")
    with zipfile.ZipFile(archive) as file:
        assert len(file.namelist()) == 2
        assert {Path(name).name for name in file.namelist()} == {"a0.png"}
    with pytest.raises(UserError, match="there is nothing to download yet"):
        at.file_of((), "masks")


def test_results_and_viewer_have_a_part_for_each_answer(at: Desk, models: Path, given: Given) -> None:
    names = [str(models / f"{name}.keras") for name in ("good", "other")]
    answers = at.answer(given, names, Options()).answers
    assert show_results(answers).count('<section class="result">') == 2
    assert show_results(()) == ""
    panes = describe(answers)["panes"]
    assert [pane["title"] for pane in panes] == names
    assert panes[0]["truth"]
    assert panes[0]["classes"][0] == {
        "name": "Trees",
        "color": list(answers[0].labels.classes[0].color),
        "cost": answers[0].labels.costs[0],
        "share": float(answers[0].shares[0]),
        "in_truth": True,
    }
    assert describe(()) == {"frame": "", "panes": []}
    assert describe((), "a0.png") == {"frame": "a0.png", "panes": []}


def test_a_procedural_desert_comes_with_its_truth(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        desk, "draw_frame", lambda seed, index: (np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 100, np.uint16), "cc1")
    )
    given = at.draw_desert(0)
    assert given.mask is not None
    assert cv2.imread(str(given.mask), cv2.IMREAD_UNCHANGED).dtype == np.uint16
    assert given.name == "cc1.png"


def write_video(path: Path, frames: int) -> None:
    random = np.random.default_rng(0)
    with VideoWriter(path, 10, (32, 48)) as writer:
        for _ in range(frames):
            writer.write(random.integers(0, 256, (32, 48, 3), np.uint8))


def test_a_video_comes_back_with_its_overlay(
    at: Desk, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "drive.mp4", 6)
    good = str(models / "good.keras")
    done = at.label_video(tmp_path / "drive.mp4", good, Options(confidence=0.5))
    assert done.path.suffix == ".webm"
    with VideoReader(done.path) as video:
        assert len(list(video)) == 6
    assert done.summary.startswith("6 frames of 48x32 at 10 fps")
    monkeypatch.setattr(clip, "MOST_FRAMES", 4)
    assert "Only the first 4 of 6 frames" in at.label_video(tmp_path / "drive.mp4", good, Options()).summary


def test_a_broken_video_is_a_sentence_with_its_name(at: Desk, models: Path, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"video x.mp4 holds no frame") as caught:
        at.label_video(tmp_path / "x.mp4", str(models / "good.keras"), Options())
    assert str(tmp_path) not in str(caught.value)
