from __future__ import annotations

from pathlib import Path

from desertseg.data import Frame
from desertseg.data.check.interleaving import check_interleaving


def frames(*numbers: int, scene: str = "cc") -> list[Frame]:
    return [Frame(Path(f"{scene}{n}.png"), None, f"{scene}{n}", scene) for n in numbers]


def test_frames_drawn_in_turns_are_told_of() -> None:
    splits = {"train": frames(*(n for n in range(100) if n % 10)), "val": frames(*range(0, 100, 10))}
    (found,) = check_interleaving(splits)
    assert (found.severity, found.code, found.count) == ("warning", "interleaved", 10)
    assert "10 of 10 frames of split val" in found.message
    assert found.files[1] == ("cc10", "beside cc9")  # as people count: cc10 follows cc9, not cc1


def test_blocks_and_other_drives_are_no_interleaving() -> None:
    train = frames(*range(80)) + frames(*range(30, 100), scene="mt")
    assert check_interleaving({"train": train, "val": frames(*range(80, 100)) + frames(*range(30), scene="mt")}) == []
    assert check_interleaving({"train": frames(*range(20)), "val": frames(*range(20), scene="mt")}) == []
    assert check_interleaving({"": frames(*range(20))}) == []
