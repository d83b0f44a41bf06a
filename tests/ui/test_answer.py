from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.data import Frame, read_mask
from desertseg.engine import evaluate, strips
from desertseg.engine.inference import Inference
from desertseg.engine.predict import predict
from desertseg.errors import UserError
from desertseg.ui.answer import answer_frame
from desertseg.ui.given import Given, Options
from desertseg.ui.results import class_table
from desertseg.ui.shelf import Opened, Shelf
from desertseg.ui.viewer import describe


@pytest.mark.parametrize("tta", [False, True])
def test_a_frame_scores_as_evaluate_scores_it(good: Opened, given: Given, tta: bool) -> None:
    answer = answer_frame(good, given, Options(tta=tta))
    frame = Frame(given.image, given.mask, "a0")
    expected = evaluate(good.model, [frame], split=None, tta=tta, boundaries=False, progress=False)
    assert answer.score is not None
    np.testing.assert_array_equal(answer.score.scores.confusion, expected.scores.confusion)
    assert {key: mean.value for key, mean in answer.score.means.items()} == {m.key: m.value for m in expected.means}
    assert {key: mean.definition for key, mean in answer.score.means.items()} == {
        m.key: m.definition for m in expected.means
    }
    assert answer.timing.views == (2 if tta else 1)


def test_labels_are_those_that_predict_writes(good: Opened, given: Given, tmp_path: Path) -> None:
    options = Options(suppress=("Sky", "Trees"), confidence=0.4, size=(32, 48))
    answer = answer_frame(good, given, options)
    predict(
        good.model,
        [given.image],
        tmp_path / "out",
        outputs=["indices"],
        suppress=options.suppress,
        confidence=options.confidence,
        size=options.size,
        progress=False,
    )
    expected = cv2.imread(str(tmp_path / "out" / "indices" / "a0.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(answer.prediction, expected)
    assert 0 < answer.unknown < 1
    assert answer.unknown == np.mean(expected == 255)


def test_pixels_below_the_threshold_are_misses(good: Opened, given: Given) -> None:
    sure = answer_frame(good, given, Options()).score
    unsure = answer_frame(good, given, Options(confidence=0.99)).score
    assert sure
    assert unsure
    assert unsure.scores.pixel_accuracy < sure.scores.pixel_accuracy
    assert unsure.scores.pixels.sum() == sure.scores.pixels.sum()


def test_shares_and_confidences_are_means_over_the_pixels(good: Opened, given: Given) -> None:
    answer = answer_frame(good, given, Options())
    prediction = answer.prediction
    counts = np.bincount(prediction.ravel(), minlength=10)
    np.testing.assert_allclose(answer.shares, counts / prediction.size)
    assert answer.shares.sum() + answer.unknown == pytest.approx(1)
    assert ((answer.confidences >= 0.1) == (counts > 0)).all()
    assert answer.timing.milliseconds > 0
    assert answer.timing.runs >= 1
    assert answer.timing.size == (16, 32)
    shown = [answer.shares[i] for i in answer.order]
    assert shown == sorted(shown, reverse=True)


def test_without_a_truth_there_are_no_scores(good: Opened, given: Given) -> None:
    answer = answer_frame(good, replace(given, mask=None, mask_name=""), Options())
    assert answer.score is None
    assert answer.remarks == ()


def test_a_truth_of_another_size_costs_the_scores_alone(good: Opened, given: Given, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), np.full((5, 7), 100, np.uint16))
    answer = answer_frame(good, replace(given, mask=tmp_path / "x.png", mask_name="small.png"), Options())
    assert answer.score is None
    assert answer.remarks == (
        "No scores: mask small.png is 7x5 pixels, but its image a0.png is 40x24; give the mask that belongs to it.",
    )


def test_a_truth_with_an_unknown_id_is_named(good: Opened, given: Given, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), np.full((24, 40), 999, np.uint16))
    answer = answer_frame(good, replace(given, mask=tmp_path / "x.png", mask_name="odd.png"), Options())
    assert answer.score is None
    assert "mask odd.png holds id 999 (960 pixels)" in answer.remarks[0]
    assert str(tmp_path) not in answer.remarks[0]


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_masks_of_any_depth_are_read(good: Opened, given: Given, tmp_path: Path, depth: type) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), np.full((24, 40), 100, depth))
    answer = answer_frame(good, replace(given, mask=tmp_path / "x.png", mask_name="x.png"), Options())
    assert answer.score
    assert answer.score.scores.pixels[0] == 960
    assert read_mask(tmp_path / "x.png", good.labels).max() == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"no picture", "is not an image that can be read"), (b"\x89PNG\r\n\x1a\n", "is cut off")],
)
def test_a_broken_frame_is_a_sentence_with_the_users_name(
    good: Opened, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "upload.png").write_bytes(content)
    with pytest.raises(UserError, match=f"image mine.png {said}") as caught:
        answer_frame(good, Given(tmp_path / "upload.png", "mine.png"), Options())
    assert str(tmp_path) not in str(caught.value)


def test_models_that_cannot_answer_say_why(shelf: Shelf, models: Path, given: Given) -> None:
    with pytest.raises(UserError, match=r"nan.keras gives no numbers for a0.png"):
        answer_frame(shelf.open(str(models / "nan.keras")), given, Options())
    sizeless = shelf.open(str(models / "sizeless.keras"))
    with pytest.raises(UserError, match="carries no training size; give one under Options"):
        answer_frame(sizeless, given, Options())
    assert answer_frame(sizeless, given, Options(size=(32, 32))).timing.size == (32, 32)


def test_every_class_suppressed_is_refused_and_an_unknown_one_passed_over(good: Opened, given: Given) -> None:
    with pytest.raises(UserError, match="every class is suppressed"):
        answer_frame(good, given, Options(suppress=good.labels.names))
    answer = answer_frame(good, given, Options(suppress=("Sky", "Asphalt")))
    assert answer.shares[good.labels.names.index("Sky")] == 0
    assert answer.remarks == ("Not suppressed, as the model has no such class: Asphalt.",)


def test_a_huge_frame_is_answered_once_by_strips_with_the_same_labels(
    good: Opened, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answer_frame(good, given, Options())
    monkeypatch.setattr(strips, "LARGE", 100)
    monkeypatch.setattr(strips, "STRIP_BYTES", 4000)
    monkeypatch.setattr("desertseg.ui.answer._HUGE", 100)
    answer = answer_frame(good, given, Options())
    np.testing.assert_array_equal(answer.prediction, expected.prediction)
    np.testing.assert_allclose(answer.confidences, expected.confidences, rtol=1e-5)  # float32, summed in other strips
    assert answer.timing.runs == 0
    assert answer.timing.milliseconds == pytest.approx(1000 * answer.timing.first)


def test_a_model_that_gives_classes_alone_is_not_asked_how_sure_it_is(
    good: Opened, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answer_frame(good, given, Options())
    monkeypatch.setattr(Inference, "knows_probabilities", False)
    answer = answer_frame(good, given, Options())
    np.testing.assert_array_equal(answer.prediction, expected.prediction)
    assert answer.remarks == ("This file gives classes alone, so nothing is said of how sure it is.",)
    assert np.isnan(answer.confidences).all()
    assert (expected.layers.has_sureness, answer.layers.has_sureness) == (True, False)
    assert {row[-1].text for row in class_table(answer).rows} == {"–"}
    assert not describe([answer])["panes"][0]["knows"]
