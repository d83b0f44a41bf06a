from __future__ import annotations

from desertseg.report import detail_lines, fold_lines

DETAILS = {
    "boundary": {
        "tolerances": [2, 5],
        "iou": {"2": {"mean": 0.1}, "5": {"mean": 0.2}},
        "f": {"2": {"mean": 0.3}, "5": {"mean": None}},
    },
    "calibration": {"ece": 0.05, "temperature": 0.8, "ece_scaled": 0.01},
    "safety": {"false_safe_rate": 0.17, "false_alarm_rate": 0.08},
    "handling": [{"name": "none", "note": "as the model answers", "miou": 0.4, "pixel_accuracy": 0.8}],
}


def test_each_finding_has_its_line() -> None:
    lines = detail_lines(DETAILS)
    assert [line[:18].strip() for line in lines] == [
        "boundary IoU",
        "boundary F",
        "calibration error",
        "false-safe rate",
        "priors: none",
    ]
    assert "0.3000, n/a   contours within 2 and 5 pixels" in lines[1]
    assert "not sure enough, temperature 0.80 would leave 0.0100" in lines[2]


def test_a_correspondence_says_what_it_leaves_out() -> None:
    left_out = {"pole": 0, "mud": 30, "sand": 200} | {f"c{i}": 2 for i in range(9)}
    mapping = {"from": "a", "to": "b", "left_out": left_out, "left_out_share": 0.1234, "unanswered": ["Logs"]}
    line = detail_lines(dict.fromkeys(DETAILS) | {"mapping": mapping})[0]
    assert "a -> b; no counterpart, so 12.3 % of the pixels are not scored: sand, mud, c0, " in line
    assert line.endswith("c5, 3 more; always a miss where answered: Logs")
    whole = mapping | {"left_out": {"pole": 0}, "unanswered": []}
    assert detail_lines(dict.fromkeys(DETAILS) | {"mapping": whole})[0].endswith(" a -> b")


def test_nothing_found_is_nothing_said() -> None:
    assert detail_lines(dict.fromkeys(DETAILS)) == []


def test_a_long_line_goes_on_below_its_column() -> None:
    line = "mIoU   0.4367   mean IoU over the ten classes that are present in the truth of these frames"
    folded = fold_lines([line, "short"], 60)
    assert max(map(len, folded)) <= 60
    assert folded[0].startswith("mIoU   0.4367   mean IoU")
    assert folded[1].startswith(" " * 16 + "p") or folded[1].startswith(" " * 16 + "t")
    assert " ".join(" ".join(folded[:-1]).split()) == " ".join(line.split())
    assert folded[-1] == "short"
    assert fold_lines([line], 30) == [line]  # there is no room for a column
