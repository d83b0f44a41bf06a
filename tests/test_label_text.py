from __future__ import annotations

from pathlib import Path

import pytest

from desertseg.label_text import labels_text, labels_toml
from desertseg.labels import LabelClass, LabelError, LabelMap, available_labels, load_labels


@pytest.mark.parametrize("name", available_labels())
def test_a_map_comes_back_from_its_text(name: str, tmp_path: Path) -> None:
    for text in (labels_toml(load_labels(name)), labels_text(name)):
        (tmp_path / "a.toml").write_text(text, encoding="utf-8")
        assert load_labels(tmp_path / "a.toml") == load_labels(name)
        assert labels_text(tmp_path / "a.toml") == text


def test_names_are_quoted(tmp_path: Path) -> None:
    labels = LabelMap('a "b" \\', (LabelClass("Gebüsch 'x' \"y\" # z", (1,), (1, 2, 3), 5),))
    (tmp_path / "a.toml").write_text(labels_toml(labels), encoding="utf-8")
    assert load_labels(tmp_path / "a.toml") == labels


def test_no_such_map() -> None:
    with pytest.raises(LabelError, match="label map mars cannot be read: No such file"):
        labels_text("mars")
