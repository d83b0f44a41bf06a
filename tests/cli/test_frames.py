"""Which label map a command takes, and what it says of it."""

import cv2
import numpy as np
import pytest
from desertseg.cli.frames import choose_labels

from desertseg.errors import UserError
from desertseg.labels import load_labels


@pytest.fixture
def unknown(tmp_path):
    """A folder whose layout does not tell the label map."""
    for folder in ("images", "masks"):
        (tmp_path / "any" / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "any" / folder / "a1.png"), np.zeros((4, 6), np.uint8))
    return str(tmp_path / "any")


def test_the_map_that_is_given_is_taken(tiny_desert):
    assert choose_labels("falcon7", str(tiny_desert)) == (load_labels("falcon7"), "label map: falcon7")
    with pytest.raises(UserError, match="no label map"):
        choose_labels("none", str(tiny_desert))


def test_else_the_layouts_and_it_is_said(tiny_desert, unknown):
    labels, note = choose_labels(None, str(tiny_desert))
    assert labels.name == "falcon"
    assert note == "label map: falcon, as the folder is laid out like falcon"
    labels, note = choose_labels(None, unknown)
    assert labels.name == "falcon"
    assert "the default; give --labels MAP" in note


def test_two_folders_of_different_kinds_need_a_word(tiny_desert, unknown, monkeypatch):
    monkeypatch.setattr("desertseg.cli.frames.DEFAULT_LABELS", "rugd")
    with pytest.raises(UserError, match="desert those of falcon and any those of rugd"):
        choose_labels(None, str(tiny_desert), unknown)
