from __future__ import annotations

import json
from pathlib import Path

import pytest

from desertseg.report.record import EvaluationRecord, ReportError, RunRecord, find_run, read_record


def test_an_evaluation_is_read_whole(evaluation_folder: Path) -> None:
    record = read_record(evaluation_folder)
    assert isinstance(record, EvaluationRecord)
    rows = [sum(row) for row in record.values["confusion"]]
    rows[3] += 11  # pixels without an answer, which belong to the truth all the same
    assert list(record.pixels.values()) == rows
    assert record.frames == ("a0", "b1", "a2", "b3", "a4", "b5")
    assert record.colors["Logs"] == (90, 40, 10)
    assert record.title == "desert, val"


def test_precision_and_recall_of_an_older_version_come_from_the_counts(evaluation_folder: Path) -> None:
    path = evaluation_folder / "evaluation.json"
    values = json.loads(path.read_text())
    for key in ("per_class_precision", "per_class_recall", "label_map"):
        values.pop(key, None)
    path.write_text(json.dumps(values))
    record = read_record(evaluation_folder)
    assert isinstance(record, EvaluationRecord)
    matrix = values["confusion"]
    assert record.values["per_class_recall"]["Logs"] == pytest.approx(matrix[2][2] / sum(matrix[2]))
    assert record.values["per_class_precision"]["Logs"] == pytest.approx(matrix[2][2] / sum(row[2] for row in matrix))
    assert record.values["per_class_recall"]["Flowers"] is None
    assert record.label_map is None  # no shipped map has these classes
    assert set(record.colors.values()) == {(150, 150, 150)}


def test_a_run_puts_the_evaluation_of_its_own_validation_first(run_folder: Path) -> None:
    record = read_record(run_folder)
    assert isinstance(record, RunRecord)
    assert [e.title for e in record.evaluations] == ["desert, val"]
    assert len(record.history) == 3
    assert find_run(run_folder / "evaluation" / "desert-val") == run_folder
    assert find_run(run_folder) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "holds no 'miou'"),
        ('{"miou": 1.0, "per_class_iou": {}}', "holds no 'confusion'"),
        ('{"miou": 1.0, "per_class_iou": {"a": 1.0}, "confusion": [[1, 2], [3, 4]]}', "not one row and column a class"),
    ],
)
def test_a_damaged_evaluation_is_named(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text(content)
    with pytest.raises(ReportError, match=message):
        read_record(tmp_path)


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"is no run folder .* give the folder that `desertseg fit --out`"):
        read_record(tmp_path)
    with pytest.raises(ReportError, match="does not exist"):
        read_record(tmp_path / "none")


def test_damaged_frames_leave_the_rest(evaluation_folder: Path) -> None:
    (evaluation_folder / "frames.npz").write_bytes(b"PK nothing")
    record = read_record(evaluation_folder)
    assert isinstance(record, EvaluationRecord)
    assert record.frames == record.unanswered == ()
