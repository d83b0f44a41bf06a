from __future__ import annotations

import itertools
import re

import pytest

from desertseg.terminal import format_bytes, progress_line


@pytest.mark.parametrize(("show", "expected"), [(True, "half [bold] way\n"), (False, "")])
def test_without_a_terminal_only_the_notes_are_printed(show: bool, expected: str, capsys) -> None:
    with progress_line("work", 10, "frames", show) as line:
        line.describe("still")
        line.advance(5)
        line.note("half [bold] way")
    captured = capsys.readouterr()
    assert captured.out == expected
    assert captured.err == ""


def test_a_terminal_sees_count_and_rate(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the output for a terminal
    monkeypatch.setenv("COLUMNS", "120")
    with progress_line("work", 10, "frames") as line:
        for _ in range(5):
            line.advance(2)
    text = capsys.readouterr().out
    assert "10/10" in text
    assert "frames/s" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_training_shows_its_facts_on_one_line(width: int, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    seconds = itertools.count()
    monkeypatch.setattr("rich.console.monotonic", lambda: float(next(seconds)))  # a rate of a training, however fast
    with progress_line("epoch 12/40", 114280, "images", completed=30000) as line:
        line.advance(64)
        line.show(loss=0.43125, data_wait=0.031, device_memory=5 << 30)
        line.advance(64)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out)
    last = [x for x in re.split(r"[\r\n]", text) if x.strip()][-1]
    assert len(last) <= width
    assert "30128/114280" in last
    assert "images/s" in last
    if width >= 80:
        assert "loss 0.4313" in last
    if width >= 120:
        assert "data wait 3%" in last
        assert "device 5.0 GiB" in last
        assert re.search(r"RAM \d+ MiB|RAM [\d.]+ GiB", last)


def test_facts_print_nothing_without_a_terminal(capsys) -> None:
    with progress_line("fit", 10, "images") as line:
        line.show(loss=1.0)
    assert capsys.readouterr().out == ""


def test_memory_is_written_as_people_read_it() -> None:
    assert format_bytes(812 << 20) == "812 MiB"
    assert format_bytes(3 << 29) == "1.5 GiB"
