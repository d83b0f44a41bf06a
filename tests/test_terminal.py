from __future__ import annotations

import pytest

from desertseg.terminal import progress_line


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
