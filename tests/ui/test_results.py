from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from desertseg.labels import LabelMap
from desertseg.report.page import render_blocks
from desertseg.ui.answer import answer_frame
from desertseg.ui.given import Given, Options
from desertseg.ui.results import class_table, draw_chart, facts, headline
from desertseg.ui.shelf import Opened


def test_the_numbers_are_those_of_the_scores(good: Opened, given: Given) -> None:
    answer = answer_frame(good, given, Options())
    assert answer.score
    scores = answer.score.scores
    block = headline(answer)
    assert (block.name, block.value) == ("mIoU", f"{scores.miou:.3f}")
    assert block.definition == "mean IoU over the 5 classes present in the truth, of this frame alone"
    assert [name for _, name, _ in block.asides] == ["pixel accuracy", "mAP50", "one answer"]
    assert block.asides[0][0] == f"{100 * scores.pixel_accuracy:.1f} %"
    table = class_table(answer)
    assert [column.title for column in table.columns] == ["class", "share", "truth", "IoU", "", "confidence"]
    for row, index in zip(table.rows, answer.order, strict=True):
        assert row[0].text == answer.labels.names[index]
        present = scores.present[index]
        assert row[3].text == (f"{scores.per_class_iou[index]:.3f}" if present else "–")
        assert (row[4].bar is not None) == present


def test_without_a_truth_the_time_leads(good: Opened, given: Given) -> None:
    answer = answer_frame(good, replace(given, mask=None), Options(confidence=0.9))
    block = headline(answer)
    assert block.value.endswith(" ms")
    assert "warm run" in block.definition
    table = class_table(answer)
    assert [column.title for column in table.columns] == ["class", "share", "confidence"]
    assert table.rows[-1][0].text == "unknown"


def test_a_single_cold_run_is_called_one(good: Opened, given: Given) -> None:
    answer = answer_frame(good, given, Options())
    cold = replace(answer, timing=replace(answer.timing, runs=0))
    assert headline(cold).asides[2][2].startswith("the first run, compiling included")


def test_the_chart_has_a_bar_for_each_answer_and_the_truth(good: Opened, given: Given) -> None:
    answer = answer_frame(good, given, Options())
    second = replace(answer, model="second")
    chart = draw_chart([answer, second])
    rows = re.findall(r'aria-label="([^"]+)"', chart)
    classes = len(answer.order)
    assert len(rows) == 3 * classes
    lengths = [float(width) for width in re.findall(r"width: ([\d.]+)%", chart)]
    assert max(lengths) == 100
    assert len(draw_chart([replace(answer, score=None)]).split('role="img"')) - 1 == (answer.shares > 0).sum()


def test_names_are_text_whatever_they_hold(good: Opened, given: Given) -> None:
    answer = answer_frame(good, given, Options())
    values = good.labels.to_dict()
    values["classes"][0]["name"] = "<b>Trees</b>"
    odd = replace(answer, labels=LabelMap.from_dict(values), model="<script>", shares=np.ones(10) / 10)
    page = draw_chart([odd]) + render_blocks([headline(odd), class_table(odd), facts(odd)])
    assert "<b>Trees" not in page
    assert "<script>" not in page
    assert "&lt;b&gt;Trees" in page
