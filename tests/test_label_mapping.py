from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.label_mapping import LabelMapping, MappingError, load_mapping
from desertseg.labels import IGNORE_INDEX, LabelClass, LabelMap, load_labels
from desertseg.mapping_draft import guess_counterparts

few = settings(max_examples=40, deadline=None, derandomize=True)


def make_map(name: str, classes: int, first: int) -> LabelMap:
    return LabelMap(
        name, tuple(LabelClass(f"{name}{i}", (first + i,), (i, first % 256, 7), cost=10 * i) for i in range(classes))
    )


COARSE = make_map("a", 4, 100)
FINE = make_map("b", 6, 1)
STATED = {"a0": "b1", "a1": "ground", "a2": "b1", "a3": "ignore"}
MERGE = {"ground": ("b5", "b0")}


@st.composite
def mappings(draw: st.DrawFn) -> LabelMapping:
    """Any correspondence of two maps, with some classes of the second merged."""
    source, target = make_map("a", draw(st.integers(1, 6)), 100), make_map("b", draw(st.integers(1, 8)), 1)
    groups = draw(st.lists(st.integers(0, 9), min_size=target.num_classes, max_size=target.num_classes))
    merge: dict[str, tuple[str, ...]] = {}
    for name, group in zip(target.names, groups, strict=True):
        if group < 2:
            merge[f"m{group}"] = (*merge.get(f"m{group}", ()), name)
    merged = {name for members in merge.values() for name in members}
    choices = st.sampled_from([*(n for n in target.names if n not in merged), *merge])
    classes = {name: draw(st.one_of(choices, st.just("ignore"))) for name in source.names}
    classes[source.names[0]] = draw(choices)
    return LabelMapping(source, target, classes, merge)


@few
@given(mappings())
def test_truth_and_answers_equal_a_dictionary(mapping: LabelMapping) -> None:
    group_of = {member: name for name, members in mapping.merge.items() for member in members}
    scored = mapping.scored.names
    assert set(scored) == set(mapping.classes.values()) - {"ignore"}
    for index, name in enumerate(mapping.target.names):
        group = group_of.get(name, name)
        expected = scored.index(group) if group in scored else IGNORE_INDEX
        assert mapping.truth_table[index] == expected
        assert (name in mapping.unscored) == (expected == IGNORE_INDEX)
    answers = mapping.answer_table(mapping.source)
    for index, name in enumerate(mapping.source.names):
        counterpart = mapping.classes[name]
        assert answers[index] == (IGNORE_INDEX if counterpart == "ignore" else scored.index(counterpart))
    assert mapping.truth_table[IGNORE_INDEX] == answers[IGNORE_INDEX] == IGNORE_INDEX


@few
@given(mappings())
def test_reading_with_the_scored_map_equals_translating(mapping: LabelMapping) -> None:
    mask = np.array([i for c in mapping.target.classes for i in c.ids], np.uint16)
    translated = mapping.truth_table[mapping.target.encode(mask)]
    np.testing.assert_array_equal(mapping.scored.encode(mask), translated)


@few
@given(mappings())
def test_training_on_the_merged_map_answers_as_it_is_scored(mapping: LabelMapping) -> None:
    merged = mapping.merged_source
    mask = np.array([i for c in mapping.source.classes for i in c.ids], np.uint16)
    of_source = mapping.answer_table(mapping.source)[mapping.source.encode(mask)]
    np.testing.assert_array_equal(mapping.answer_table(merged)[merged.encode(mask)], of_source)
    assert set(merged.names) == set(mapping.scored.names)


def test_merged_classes_are_read_by_all_their_colours() -> None:
    rugd, falcon = load_labels("rugd"), load_labels("falcon")
    mapping = LabelMapping(rugd, falcon, {name: found for name, (found, _) in guess_counterparts(rugd, falcon).items()})
    indices = np.arange(rugd.num_classes, dtype=np.uint8)[None]
    read = mapping.merged_source.encode_colors(rugd.colorize(indices))
    expected = mapping.answer_table(rugd)[indices]
    assert len(np.unique(expected)) > 5
    np.testing.assert_array_equal(mapping.answer_table(mapping.merged_source)[read], expected)


def test_what_is_scored_and_what_is_not() -> None:
    mapping = LabelMapping(COARSE, FINE, STATED, MERGE)
    assert mapping.scored.names == ("ground", "b1")  # where the first member of each stands in the masks' map
    ground, single = mapping.scored.classes
    assert ground == LabelClass("ground", (6, 1), FINE.classes[5].color, None)  # their costs differ
    assert single == FINE.classes[1]
    assert mapping.unscored == ("b2", "b3", "b4")
    assert mapping.unanswered == ("a3",)
    assert mapping.scored.ignore == (3, 4, 5)
    assert mapping.to_dict()["merge"] == {"ground": ["b5", "b0"]}


@pytest.mark.parametrize(
    ("classes", "merge", "message"),
    [
        ({"a9": "b1"}, {}, r"label map 'a' has no class 'a9' \(did you mean 'a\d'\?\)"),
        ({"a0": "b1"}, {}, "says nothing of 'a1'"),
        ({**STATED, "a0": "bb1"}, MERGE, r"a0 = 'bb1', but 'b' has no class 'bb1' \(did you mean 'b1'"),
        ({**STATED, "a0": "b5"}, MERGE, "'b5' is merged into 'ground'; write a0 = \"ground\""),
        (STATED, {"ground": ("b7",)}, "label map 'b' has no class 'b7'"),
        (STATED, {"ground": ()}, "merges nothing into 'ground'"),
        (STATED, {"ground": ("b5", "b0"), "g": ("b0",)}, "merges 'b0' twice"),
        (STATED, {**MERGE, "b2": ("b3",)}, "merges into 'b2', which means something else"),
        (STATED, {**MERGE, "ignore": ("b3",)}, "merges into 'ignore'"),
        (dict.fromkeys(COARSE.names, "ignore"), {}, "ignores every class"),
    ],
)
def test_what_is_no_correspondence(classes: dict, merge: dict, message: str) -> None:
    with pytest.raises(MappingError, match=message):
        LabelMapping(COARSE, FINE, classes, merge)


def test_it_is_not_for_another_model() -> None:
    mapping = LabelMapping(COARSE, FINE, STATED, MERGE)
    with pytest.raises(MappingError, match="is not for label map 'falcon', whose class 'Trees' it does not know"):
        mapping.answer_table(load_labels("falcon"))


FILE = """
from = "falcon"
to = "falcon7"
[merge]
bushes = ["Lush Bushes", "Dry Bushes"]
[classes]
Trees = "Trees"
"Lush Bushes" = "bushes"
"Dry Grass" = "Dry Grass"
"Dry Bushes" = "bushes"
"Ground Clutter" = "ignore"
Flowers = "ignore"
Logs = "ignore"
Rocks = "Rocks"
Landscape = "Landscape"
Sky = "Sky"
"""


def test_load_mapping_reads_a_file_and_maps_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('name = "own"\n[[classes]]\nname = "Sky"\nids = [1]\ncolor = [1, 2, 3]\n')
    path = tmp_path / "m.toml"
    path.write_text(FILE)
    mapping = load_mapping(path)
    assert load_mapping(mapping) is mapping
    assert mapping.scored.names == ("Trees", "bushes", "Dry Grass", "Rocks", "Landscape", "Sky")
    assert mapping.scored.classes[1].ids == (200, 500)
    path.write_text('from = "own.toml"\nto = "falcon"\n[classes]\nSky = "Sky"\n')
    assert load_mapping(str(path)).source.name == "own"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FILE.replace('"falcon7"', '"mars"'), "`to`: no label map 'mars'"),
        (FILE.replace('to = "falcon7"', ""), "`to` is None"),
        (FILE.replace("[merge]", "[merges]"), r"unknown key 'merges' \(did you mean 'merge'\?\)"),
        (FILE.replace('"Trees"\n', '["Trees"]\n'), "below .classes. each class"),
        (FILE.replace('["Lush Bushes", "Dry Bushes"]', "3"), "below .merge. each new name"),
        (FILE.replace('Sky = "Sky"', ""), "says nothing of 'Sky'"),
        ("from =", "cannot be read as TOML"),
    ],
)
def test_a_file_that_is_no_correspondence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(MappingError, match=message) as raised:
        load_mapping(tmp_path / "m.toml")
    assert str(raised.value).startswith(f"correspondence {tmp_path / 'm.toml'}")


def test_a_file_that_does_not_exist() -> None:
    with pytest.raises(MappingError, match="No such file or directory; make one with `desertseg labels map`"):
        load_mapping("nowhere.toml")
