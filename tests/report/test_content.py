from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from desertseg.errors import plural
from desertseg.report.content import compose
from desertseg.report.document import Facts, Headline, Section, interval, sentence, share
from desertseg.report.places import worst_frames
from desertseg.report.provenance import data
from desertseg.report.record import EvaluationRecord, RunRecord, read_record


def read(folder: Path, **changes: Any) -> EvaluationRecord:
    record = read_record(folder)
    assert isinstance(record, EvaluationRecord)
    return dataclasses.replace(record, values={**record.values, **changes})


def sections(record: EvaluationRecord | RunRecord) -> dict[str, Section]:
    return {s.title: s for part in compose(record).parts for s in part.sections}


def missing(found: dict[str, Section]) -> dict[str, str]:
    block = found["Not in this report"].blocks[0]
    assert isinstance(block, Facts)
    return {title: reason for reason, titles in block.rows for title in titles.split(", ")}


def test_what_was_not_measured_is_named_with_its_reason(evaluation_folder: Path) -> None:
    nothing = dict.fromkeys(("calibration", "safety", "handling", "boundary"))
    record = read(evaluation_folder, worst={}, failures=[], confused_pairs=[], **nothing)
    reasons = missing(sections(record))
    assert reasons["Calibration"].startswith("Masks carry no confidence")
    assert reasons["Obstacles called drivable"] == "The label map gives no traversability costs."
    assert reasons["Confused pairs"] == "No pixel was confused."
    assert set(reasons) == {
        *("Obstacles called drivable", "Confused pairs", "Contours", "Calibration", "Worst frames"),
        "Handling a desert without some classes",
    }


def test_an_evaluation_of_an_older_version_gives_what_it_has(evaluation_folder: Path) -> None:
    path = evaluation_folder / "evaluation.json"
    keep = (
        "miou",
        "miou_all",
        "pixel_accuracy",
        "per_class_iou",
        "per_class_dice",
        "definition",
        "confusion",
        "frames",
    )
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k in keep}))
    record = read_record(evaluation_folder)
    assert isinstance(record, EvaluationRecord)
    found = sections(record)
    assert [t for t in found if t in ("Classes", "Confusion", "Data")] == ["Classes", "Confusion", "Data"]
    assert all("older version" in reason for reason in missing(found).values())
    assert len(missing(found)) == 8


def test_a_run_that_was_not_scored_shows_its_training(run_folder: Path) -> None:
    record = read_record(run_folder)
    assert isinstance(record, RunRecord)
    document = compose(dataclasses.replace(record, evaluations=()))
    headline = document.lead[0]
    assert isinstance(headline, Headline)
    assert headline.value == "0.2000"
    assert "epoch 2 of 3" in headline.definition
    assert [p.title for p in document.parts] == ["The training"]


def test_several_evaluations_get_a_table_that_leads_to_each(run_folder: Path) -> None:
    record = read_record(run_folder)
    assert isinstance(record, RunRecord)
    one = record.evaluations[0]
    other = dataclasses.replace(one, values={**one.values, "data": "canyon", "split": None})
    document = compose(dataclasses.replace(record, evaluations=(one, other)))
    assert [p.title for p in document.parts][:2] == ["Scores on desert, val", "Scores on canyon, all frames"]
    table = document.lead[-1]
    assert [row[0].target for row in table.rows] == [p.key for p in document.parts[:2]]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("train", "val", "said"),
    [
        (("a0", "a2"), (), "2 of the 6 scored frames were trained on"),
        ((), ("b1",), "0 of the 6 scored frames were trained on, and by 1 the epoch was chosen"),
        (("c",), ("d",), "0 of the 6 scored frames were trained on, and by 0"),
    ],
)
def test_the_report_says_who_saw_the_frames_before(evaluation_folder: Path, train: Any, val: Any, said: str) -> None:
    splits = {"train": dict.fromkeys(train), "val": dict.fromkeys(val)}
    section = data(read(evaluation_folder), RunRecord(Path("r"), splits=splits))
    assert said in section.blocks[1].text  # type: ignore[union-attr]


def test_no_picture_from_outside_the_folder_gets_in(evaluation_folder: Path) -> None:
    (evaluation_folder.parent / "secret.jpg").write_bytes(b"x")
    rows = [
        {"frame": "a", "scene": "", "iou": 0.1, "pixels": 1, "picture": p} for p in ("../secret.jpg", "none.jpg", None)
    ]
    section = worst_frames(read(evaluation_folder, worst={"Logs": rows}))
    assert isinstance(section, Section)
    assert section.blocks[0].pictures == []  # type: ignore[union-attr]


def test_numbers_read_as_people_write_them() -> None:
    assert [share(v) for v in (None, 0.0, 1e-7, 0.00067, 0.5)] == ["–", "0 %", "< 0.001 %", "0.067 %", "50.00 %"]
    assert interval((0.1, 0.25)) == "0.100–0.250"
    assert interval(None) == "–"
    assert [plural(n, w) for n, w in ((1, "class"), (2, "class"), (1000, "pixel"))] == [
        "1 class",
        "2 classes",
        "1,000 pixels",
    ]
    assert [sentence(t) for t in ("pixel ECE", "mIoU here", "", "Done.")] == ["Pixel ECE.", "mIoU here.", "", "Done."]


def test_a_score_at_the_training_size_says_so_where_it_stands(evaluation_folder: Path) -> None:
    for at, said in (("input", True), ("native", False)):
        lead = compose(read(evaluation_folder, at=at)).lead[0]
        assert isinstance(lead, Headline)
        assert ("scored at the training size" in lead.definition) is said
