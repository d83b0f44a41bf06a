from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from desertseg.cli.main import group

from desertseg.engine.report import write_report
from desertseg.labels import load_labels
from desertseg.metrics import Scores
from desertseg.report.record import ReportError

FALCON = load_labels("falcon")


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation as the first version wrote it: numbers alone."""
    matrix = np.random.default_rng(0).integers(0, 50, (10, 10)) + 100 * np.eye(10, dtype=np.int64)
    values = {**Scores(matrix.astype(np.int64), FALCON.names).to_dict(), "labels": "falcon", "frames": 3}
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "evaluation.json").write_text(json.dumps(values))
    return folder


@pytest.fixture(scope="module")
def reported(numbers: Path) -> Path:
    """The same with its pictures, which take a second to draw."""
    folder = Path(shutil.copytree(numbers, numbers.with_name("reported")))
    write_report(folder)
    return folder


@pytest.fixture
def scores(reported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(reported, tmp_path / reported.name))


def test_a_report_makes_what_an_older_folder_lacks(scores: Path) -> None:
    page = scores / "report.html"
    made = {"per_class_metrics.png", "per_class_iou.png", "confusion_matrix.png", "evaluation_metrics.txt", "report.md"}
    assert {p.name for p in scores.iterdir()} == made | {"report.html", "evaluation.json"}
    text = page.read_text(encoding="utf-8")
    value = json.loads((scores / "evaluation.json").read_text())["miou"]
    assert f'<p class="value">{value:.4f}</p>' in text
    before = {name: (scores / name).read_bytes() for name in made}
    assert write_report(scores) == page
    assert {name: (scores / name).read_bytes() for name in made} == before  # and the page is as repeatable
    assert page.read_text(encoding="utf-8") == text


def test_what_is_there_is_not_drawn_again(scores: Path) -> None:
    (scores / "evaluation_metrics.txt").write_text("mine")
    write_report(scores)
    assert (scores / "evaluation_metrics.txt").read_text() == "mine"


def test_what_cannot_be_written_is_one_line(scores: Path) -> None:
    (scores / "report.md").unlink()
    (scores / "report.md").mkdir()
    with pytest.raises(ReportError, match=r"the report of .* cannot be written: Is a directory"):
        write_report(scores)
    assert not [p for p in scores.iterdir() if p.name.startswith(".")]


def test_a_damaged_run_is_no_reason_to_have_no_report(scores: Path) -> None:
    run = scores.parent / "run"
    (run / "evaluation").mkdir(parents=True)
    scores.rename(run / "evaluation" / "falcon-val")
    (run / "recipe.toml").write_text("damaged = = 1")
    assert "The training" not in write_report(run / "evaluation" / "falcon-val").read_text(encoding="utf-8")
    with pytest.raises(ReportError, match=r"recipe.toml cannot be read"):
        write_report(run)


def test_the_command_says_where_it_wrote(scores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    result = CliRunner().invoke(group, ["report", str(scores)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Wrote {scores / 'report.html'} (")
    assert result.output.rstrip().endswith(str(scores / "report.md"))
    assert opened == []  # no terminal
    CliRunner().invoke(group, ["report", str(scores), "--open", "yes"])
    assert opened == [(scores / "report.html").as_uri()]


def test_nothing_to_report_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["report", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert result.output.startswith("desertseg: ")
    assert len(result.output.strip().splitlines()) == 1
