from __future__ import annotations

from pathlib import Path

import pytest

from desertseg.label_mapping import load_mapping
from desertseg.labels import LabelClass, LabelMap, available_labels, load_labels
from desertseg.mapping_draft import draft_mapping, guess_counterparts


def named(*names: str) -> LabelMap:
    return LabelMap("named", tuple(LabelClass(n, (i,), (i, i, i)) for i, n in enumerate(names, start=1)))


@pytest.mark.parametrize(
    ("name", "others", "expected"),
    [
        ("Dry Bushes", ("dry_bush", "bush"), "dry_bush"),
        ("Lush Bushes", ("bush", "tree"), "bush"),
        ("Bushes", ("shrub",), "shrub"),
        ("Dry Grass", ("high grass", "grass"), "grass"),
        ("Landscape", ("sky", "soil"), "soil"),
        ("Trees", ("vegetation",), "vegetation"),
        ("Rocks", ("rock-bed", "rock"), "rock"),
        ("Sky", ("person",), "ignore"),
        ("Glas", ("grass",), "ignore"),
    ],
)
def test_the_likeliest_counterpart(name: str, others: tuple[str, ...], expected: str) -> None:
    assert guess_counterparts(named(name), named(*others))[name][0] == expected


@pytest.mark.parametrize("source", available_labels())
def test_a_draft_states_every_class(source: str, tmp_path: Path) -> None:
    path = tmp_path / "draft.toml"
    path.write_text(draft_mapping(load_labels(source), load_labels("rugd")))
    mapping = load_mapping(path)
    assert (mapping.source.name, mapping.target.name) == (source, "rugd")
    assert "sky" in mapping.scored.names
    for name in mapping.unscored:
        assert name in path.read_text().partition("from =")[0]


def test_a_map_and_itself_correspond_by_name(tmp_path: Path) -> None:
    found = guess_counterparts(load_labels("goose"), load_labels("goose"))
    assert all(name == counterpart and not how for name, (counterpart, how) in found.items())


def test_the_merge_that_is_shown_works(tmp_path: Path) -> None:
    text = draft_mapping(load_labels("falcon"), load_labels("rugd"))
    line = next(line for line in text.splitlines() if line.startswith("# ground = "))
    text = text.replace(line, line.removeprefix("# ")).replace('= "dirt"', '= "ground"')
    (tmp_path / "a.toml").write_text(text)
    assert {"dirt", "sand"} <= set(load_mapping(tmp_path / "a.toml").merge["ground"])
