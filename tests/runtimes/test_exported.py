from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from desertseg.errors import UserError
from desertseg.runtimes import Facts, SelfTest, is_exported, load_exported, pack_pair

IMAGES = np.random.default_rng(1).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)


def test_a_file_of_any_size_answers_and_tells_its_facts(
    write: Callable[..., Path], answer: Callable[..., np.ndarray]
) -> None:
    exported = load_exported(write())
    np.testing.assert_allclose(exported.run(IMAGES), answer(IMAGES), rtol=1e-6)
    np.testing.assert_allclose(exported.run(IMAGES[:1, :3]), answer(IMAGES[:1, :3]), rtol=1e-6)
    assert (exported.format, exported.labels.ids, exported.num_classes) == ("onnx", (10, 20, 30), 3)
    assert (exported.size, exported.input_size, exported.batch) == ((16, 24), None, None)
    assert (exported.answer, exported.dtype, exported.flip) == ("logits", "float32", False)
    assert exported.recipe == {"model": {"name": "hand"}}
    assert re.fullmatch(r"onnxruntime \d+\.\d+\.\d+, \w+ExecutionProvider", exported.runtime)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_fixed_batch_is_filled_and_taken_in_parts(
    write: Callable[..., Path], answer: Callable[..., np.ndarray], count: int
) -> None:
    exported = load_exported(write(batch=2, answer="labels", input_size=(6, 7)))
    labels = exported.run(IMAGES[:count])
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, answer(IMAGES[:count], labels=True))


def test_floats_are_rounded_for_a_file_that_takes_bytes_and_kept_for_one_that_does_not(
    write: Callable[..., Path],
) -> None:
    images = np.float32([[[[-3.0, 0.6, 255.4]]]])
    np.testing.assert_allclose(load_exported(write()).run(images), [[[[0, 0.1, 25.5]]]], rtol=1e-6)
    np.testing.assert_allclose(load_exported(write(input="float32")).run(images), images / 10, rtol=1e-6)


def test_images_of_another_size_or_shape_are_answered_with_both(write: Callable[..., Path]) -> None:
    exported = load_exported(write(input_size=(8, 12)))
    with pytest.raises(UserError, match=r"takes images of 8x12, and these are 6x7; .* --size free"):
        exported.run(IMAGES)
    for wrong in (IMAGES[0], IMAGES[..., :1], IMAGES[:0]):
        with pytest.raises(UserError, match=re.escape(f"images have shape {wrong.shape}")):
            exported.run(wrong)


@pytest.mark.parametrize("answers", ["logits", "labels"])
def test_a_file_checks_itself(write: Callable[..., Path], answers: str) -> None:
    result = load_exported(write(answer=answers)).check()
    assert result.agreement == 1
    assert (result.max_difference is None) if answers == "labels" else (result.max_difference < 1e-5)


def test_a_file_that_answers_otherwise_than_it_did_says_so(write: Callable[..., Path]) -> None:
    images = np.zeros((1, 2, 2, 3), np.uint8)
    images[..., 2] = 50
    answers = np.float32([[[[0, 0, 5]] * 2, [[0, 7, 5]] * 2]])
    result = load_exported(write(self_test=pack_pair(images, answers))).check()
    assert result == SelfTest(7.0, 0.5)
    result = load_exported(write(answer="labels", self_test=pack_pair(images, answers.argmax(-1)))).check()
    assert result == SelfTest(None, 0.5)


def test_a_self_test_that_cannot_be_read_is_one_line(
    write: Callable[..., Path], make_facts: Callable[..., Facts]
) -> None:
    whole = make_facts().self_test
    for damaged in (whole[:-400], "no base64!", ""):
        with pytest.raises(UserError, match=r"the self-test of .*hand\.onnx cannot be read"):
            load_exported(write(self_test=damaged)).check()
    other = pack_pair(np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 5, 5, 3), np.float32))
    with pytest.raises(UserError, match="has answers of another shape"):
        load_exported(write(self_test=other)).check()


def test_what_is_no_exported_model_is_one_line(tmp_path: Path, write_onnx: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="does not exist; `desertseg export` writes one"):
        load_exported(tmp_path / "none.onnx")
    (tmp_path / "a.keras").write_bytes(b"x")
    assert not is_exported(tmp_path / "a.keras")
    with pytest.raises(UserError, match="is no exported model"):
        load_exported(tmp_path / "a.keras")
    (tmp_path / "b.onnx").write_bytes(b"nothing of onnx")
    assert is_exported(tmp_path / "b.onnx")
    with pytest.raises(UserError, match="onnxruntime refuses"):
        load_exported(tmp_path / "b.onnx")
    with pytest.raises(UserError, match="says nothing of desertseg"):
        load_exported(write_onnx(tmp_path / "c.onnx", None))


def test_a_runtime_that_is_missing_names_its_extra(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"run by onnxruntime, .*; pip install 'desertseg\[onnx\]'"):
        load_exported(write())


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"labels": 3}'])
def test_facts_that_cannot_be_read_are_one_line(text: str) -> None:
    with pytest.raises(UserError, match=r"x\.onnx"):
        Facts.from_json(text, "x.onnx")


def test_facts_survive_their_text(make_facts: Callable[..., Facts]) -> None:
    facts = make_facts(input_size=(8, 12), recipe=None, size=None)
    assert Facts.from_json(facts.to_json(), "x") == facts
    with pytest.raises(UserError, match="answers with masks"):
        Facts.from_json(make_facts(answer="masks").to_json(), "x")
