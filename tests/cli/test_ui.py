from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from desertseg.cli.main import group

import desertseg.ui


def test_without_gradio_there_is_one_line_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desertseg.ui, "find_spec", lambda name: None)
    result = CliRunner().invoke(group, ["ui"])
    assert result.exit_code == 2
    assert result.output == "desertseg: the page needs Gradio, which is not installed: pip install 'desertseg[ui]'\n"


def test_options_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {}
    monkeypatch.setitem(
        vars(desertseg.ui), "serve", lambda models, data, **options: found.update(models=models, data=data, **options)
    )
    words = [
        "ui",
        "--model",
        "a.keras",
        "--model",
        "b.keras",
        "--data",
        "falcon",
        "--port",
        "8000",
        "--max-upload",
        "5",
    ]
    assert CliRunner().invoke(group, words).exit_code == 0
    del found["tell"]
    assert found == {
        "models": ("a.keras", "b.keras"),
        "data": "falcon",
        "port": 8000,
        "host": "127.0.0.1",
        "cases": "cases",
        "max_upload": 5,
        "open_browser": False,
    }
