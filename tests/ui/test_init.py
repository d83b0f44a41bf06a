from __future__ import annotations

import importlib.util

import pytest

import desertseg.ui
from desertseg.errors import UserError


def test_without_gradio_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desertseg.ui, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs Gradio, which is not installed: pip install 'desertseg\[ui\]'"):
        _ = desertseg.ui.serve
    assert dir(desertseg.ui) == ["serve"]
    with pytest.raises(AttributeError, match="no attribute 'sevre'"):
        _ = desertseg.ui.sevre
    assert importlib.util.find_spec("desertseg.ui.page") is not None
