from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.labels import IGNORE_INDEX, LabelClass, LabelError, LabelMap, available_labels, load_labels

FALCON_IDS = (100, 200, 300, 500, 550, 600, 700, 800, 7100, 10000)
few = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def label_maps(draw: st.DrawFn) -> LabelMap:
    """Any valid label map: 1 to 12 classes of distinct colours, several ids each, some ids ignored, one void."""
    ids = draw(st.lists(st.integers(0, 65535), min_size=4, max_size=30, unique=True))
    num_classes = draw(st.integers(1, min(12, len(ids) - 2)))
    void, ignored, rest = ids[0], ids[1:2], ids[2:]
    colors = draw(
        st.lists(st.tuples(*[st.integers(1, 255)] * 3), min_size=num_classes, max_size=num_classes, unique=True)
    )
    classes = tuple(LabelClass(f"c{i}", tuple(rest[i::num_classes]), colors[i]) for i in range(num_classes))
    return LabelMap("drawn", classes, ignore=(void, *ignored), void=void)


def labels_of(label_map: LabelMap, seed: int) -> np.ndarray:
    indices = [*range(label_map.num_classes), IGNORE_INDEX]
    return np.random.default_rng(seed).choice(indices, (7, 9)).astype(np.uint8)


@few
@given(label_maps(), st.integers(0, 99))
def test_encode_undoes_decode(label_map: LabelMap, seed: int) -> None:
    labels = labels_of(label_map, seed)
    mask = label_map.decode(labels)
    assert mask.dtype == np.uint16
    np.testing.assert_array_equal(label_map.encode(mask), labels)


@few
@given(label_maps(), st.integers(0, 99))
def test_encode_colors_undoes_colorize(label_map: LabelMap, seed: int) -> None:
    labels = labels_of(label_map, seed)
    np.testing.assert_array_equal(label_map.encode_colors(label_map.colorize(labels)), labels)


@few
@given(label_maps())
def test_the_plain_form_is_the_whole_map(label_map: LabelMap) -> None:
    assert LabelMap.from_dict(label_map.to_dict()) == label_map


@few
@given(label_maps(), st.integers(0, 65535))
def test_encode_equals_a_dictionary(label_map: LabelMap, raw: int) -> None:
    meaning = {i: index for index, c in enumerate(label_map.classes) for i in c.ids}
    meaning |= dict.fromkeys(label_map.ignore, IGNORE_INDEX)
    mask = np.array([[raw, label_map.void], [*label_map.classes[0].ids[:1], raw]], np.uint16)
    assert label_map.knows(mask) == (raw in meaning)
    if raw in meaning:
        np.testing.assert_array_equal(label_map.encode(mask), np.vectorize(meaning.get)(mask))
    else:
        with pytest.raises(LabelError, match=rf"holds id {raw} \(2 pixels\)"):
            label_map.encode(mask)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_encode_takes_any_integers_and_shapes(dtype: type) -> None:
    falcon = load_labels("falcon")
    mask = np.array(FALCON_IDS, dtype).reshape(1, 2, 5)
    labels = falcon.encode(mask)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, np.arange(10).reshape(1, 2, 5))
    np.testing.assert_array_equal(falcon.encode(mask.T), labels.T)  # not contiguous
    assert falcon.encode(mask[:, :0]).shape == (1, 0, 5)


def test_encode_handles_masks_longer_than_a_chunk() -> None:
    mask = np.random.default_rng(0).choice(np.array(FALCON_IDS, np.uint16), (300, 500))
    np.testing.assert_array_equal(load_labels("falcon").encode(mask), np.searchsorted(FALCON_IDS, mask))


def test_an_unknown_id_is_named_with_file_count_and_remedy() -> None:
    mask = np.full((40, 50), 100, np.uint16)
    mask[0, :7], mask[1, :3] = 42, 4242
    with pytest.raises(LabelError) as caught:
        load_labels("falcon").encode(mask, "mask w0000009.png")
    assert str(caught.value) == (
        "mask w0000009.png holds id 42 (7 pixels) and 1 more unknown ids, which label map 'falcon' does not define; "
        "use the label map of this data set, or list 42 under ignore"
    )


def test_a_shipped_map_that_fits_is_suggested() -> None:
    lacking = dataclasses.replace(load_labels("falcon7"), name="mine", ignore=(550, 700))
    mask = np.array([[600, 100], [600, 550]], np.uint16)
    with pytest.raises(LabelError, match=r"id 600 \(2 pixels\).*use --labels falcon, or list 600 under ignore"):
        lacking.encode(mask)


@pytest.mark.parametrize(
    ("damaged", "how"),
    [
        ([0, 1, 2, 3, 27, 39], "the high byte kept"),
        ([100, 200, 255], "clipped at 255"),
        ([i & 255 for i in FALCON_IDS], "the low byte kept"),
    ],
)
def test_eight_bit_reads_are_recognised(damaged: list[int], how: str) -> None:
    with pytest.raises(LabelError, match=rf"mask a\.png holds id .* 16-bit ids read as 8 bit \({how}\)"):
        load_labels("falcon").encode(np.array([damaged], np.uint8), "mask a.png")


def test_class_indices_are_recognised() -> None:
    with pytest.raises(LabelError, match="look like class indices, not raw ids"):
        load_labels("falcon").encode(np.arange(10, dtype=np.uint8))


def test_falcon7_ignores_what_its_test_desert_lacks() -> None:
    falcon7 = load_labels("falcon7")
    assert falcon7.num_classes == 7
    np.testing.assert_array_equal(falcon7.encode(np.array([550, 600, 700], np.uint16)), [IGNORE_INDEX] * 3)
    np.testing.assert_array_equal(falcon7.encode(np.array([100, 800, 7100, 10000], np.uint16)), [0, 4, 5, 6])


def test_falcon_starter_reads_flowers_as_its_background() -> None:
    starter = load_labels("falcon_starter")
    np.testing.assert_array_equal(starter.encode(np.array([600, 0, 100], np.uint16)), [0, 0, 1])
    np.testing.assert_array_equal(starter.decode(np.array([0, IGNORE_INDEX])), [0, 65535])


@pytest.mark.parametrize("name", available_labels())
def test_shipped_maps_load_and_their_colours_are_distinct(name: str) -> None:
    label_map = load_labels(name)
    assert label_map.name == name
    shared = 1 if name == "goose" else 0  # its snow and hedge, on purpose
    assert len({c.color for c in label_map.classes}) == label_map.num_classes - shared
    assert label_map.colors.shape == (label_map.num_classes, 3)


def test_float_and_wide_masks_are_refused() -> None:
    falcon = load_labels("falcon")
    with pytest.raises(LabelError, match="float32 values"):
        falcon.encode(np.full((2, 2), 100, np.float32))
    with pytest.raises(LabelError, match=r"ids -1\.\.100"):
        falcon.encode(np.array([[100, -1]]))


def test_indices_that_are_no_class_are_refused() -> None:
    falcon = load_labels("falcon")
    for method in (falcon.decode, falcon.colorize):
        with pytest.raises(LabelError, match=r"index 10; label map 'falcon' has 0\.\.9 and 255"):
            method(np.array([3, 10], np.uint8))


def test_colours_that_no_class_has_are_named() -> None:
    rgb = np.zeros((2, 3, 3), np.uint8) + np.array(load_labels("falcon").classes[0].color, np.uint8)
    rgb[0, :2] = (1, 2, 3)
    with pytest.raises(LabelError, match=r"mask r\.png holds colour \(1, 2, 3\) \(2 pixels\)"):
        load_labels("falcon").encode_colors(rgb, "mask r.png")
    with pytest.raises(LabelError, match="uint8"):
        load_labels("falcon").encode_colors(rgb.astype(np.uint16))


def test_one_colour_for_two_classes_cannot_be_read() -> None:
    twins = LabelMap("twins", (LabelClass("a", (1,), (9, 9, 9)), LabelClass("b", (2,), (9, 9, 9))))
    with pytest.raises(LabelError, match="colour"):
        twins.encode_colors(np.full((1, 1, 3), 9, np.uint8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ()}, "0 classes"),
        ({"classes": (LabelClass("a", (), (0, 0, 0)),)}, "'a' has no raw id"),
        ({"classes": (LabelClass("a", (1,), (0, 0, 256)),)}, "not three values"),
        ({"classes": (LabelClass("a", (65536,), (0, 0, 0)),)}, "65536 is not a whole number"),
        ({"classes": (LabelClass("a", (1.5,), (0, 0, 0)),)}, "1.5 is not a whole number"),  # type: ignore[arg-type]
        ({"classes": (LabelClass("a", (1,), (0, 0, 0)), LabelClass("a", (2,), (0, 0, 0)))}, "class name 'a'"),
        ({"ignore": (1,)}, "raw id 1 stands more than once"),
        ({"void": 1}, "void id 1 is a class's id"),
    ],
)
def test_maps_that_break_the_rules_are_refused(change: dict, message: str) -> None:
    good = {"name": "m", "classes": (LabelClass("a", (1,), (0, 0, 0)),)}
    with pytest.raises(LabelError, match=message):
        LabelMap(**{**good, **change})


CLASS = '[[classes]]\nname = "a"\nids = [1]\ncolor = [1, 2, 3]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "cannot be read as TOML"),
        (CLASS, "key 'name' is missing"),
        ('name = "m"\n', "key 'classes' is missing"),
        ('name = "m"\n[[classes]]\nname = "a"\nids = [1]\n', "key 'color' is missing"),
        ('name = "m"\ncolour = 3\n' + CLASS, "unknown key 'colour'"),
        ('name = "m"\nignore = 7\n' + CLASS, "layout"),
        ('name = "m"\nvoid = "7"\n' + CLASS, "'7' is not a whole number"),
        ('name = "m"\n' + CLASS.replace("[1]", '"12"'), "'1' is not a whole number"),
        ('name = "m"\n' + CLASS.replace("[1]", "1"), "layout"),
        ('name = "m"\nclasses = "a"\n', "layout"),
    ],
)
def test_a_bad_toml_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(LabelError, match=message) as caught:
        load_labels(path)
    assert "\n" not in str(caught.value)


def test_a_toml_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nignore = [5]\n' + CLASS)
    mine = load_labels(str(path))
    assert (mine.name, mine.names, mine.ids) == ("mine", ("a",), (1,))
    np.testing.assert_array_equal(mine.encode(np.array([1, 5])), [0, IGNORE_INDEX])


def test_missing_names_and_files_list_what_is_shipped(tmp_path: Path) -> None:
    for missing in ("nosuch", tmp_path / "nosuch.toml"):
        with pytest.raises(LabelError, match="shipped are falcon, "):
            load_labels(missing)


def test_costs_say_where_a_vehicle_can_go() -> None:
    """Falcon's costs, and what each kind of class means for a robot."""
    falcon = load_labels("falcon")
    names = np.array(falcon.names)
    assert set(names[list(falcon.obstacles)]) == {"Trees", "Lush Bushes", "Logs", "Rocks"}
    assert set(names[list(falcon.drivable)]) == {"Dry Grass", "Flowers", "Landscape"}
    labels = np.array([[names.tolist().index("Rocks"), names.tolist().index("Sky"), IGNORE_INDEX]], np.uint8)
    np.testing.assert_array_equal(falcon.cost_map(labels), [[100, 255, 255]])
    assert LabelMap.from_dict(falcon.to_dict()) == falcon


def test_a_map_without_costs_draws_no_cost_map() -> None:
    plain = LabelMap("plain", (LabelClass("a", (1,), (0, 0, 0)),))
    assert plain.obstacles == plain.drivable == ()
    assert "cost" not in plain.to_dict()["classes"][0]
    with pytest.raises(LabelError, match="'plain' has no costs; give its classes"):
        plain.cost_map(np.zeros((2, 2), np.uint8))
    with pytest.raises(LabelError, match="cost 101 of 'a' is not a whole number"):
        LabelMap("plain", (LabelClass("a", (1,), (0, 0, 0), cost=101),))


def test_further_colours() -> None:
    plain = {"name": "m", "ignore": [9], "void": 9, "classes": [{"name": "a", "ids": [1, 2], "color": [5, 5, 5]}]}
    more = [{"color": [7, 7, 7], "id": 2}, {"color": [0, 0, 0], "id": 1}, {"color": [8, 8, 8], "id": 9}]
    labels = LabelMap.from_dict({**plain, "colors": more})
    assert LabelMap.from_dict(labels.to_dict()) == labels
    rgb = np.array([[[5, 5, 5], [7, 7, 7], [0, 0, 0], [8, 8, 8]]], np.uint8)
    assert labels.encode_colors(rgb).tolist() == [[0, 0, 0, IGNORE_INDEX]]
    assert "colors" not in LabelMap.from_dict(plain).to_dict()  # as files of older models have it
    for bad, message in (
        ({"color": [7, 7], "id": 1}, "is not three values"),
        ({"color": [7, 7, 7], "id": 5}, r"\(7, 7, 7\) stands for id 5, which no class has and ignore does not list"),
        ({"color": [7, 7, 7]}, "key 'id' is missing"),
    ):
        with pytest.raises(LabelError, match=message):
            LabelMap.from_dict({**plain, "colors": [bad]})
    with pytest.raises(LabelError, match=r"colour \(5, 5, 5\) stands more than once"):
        LabelMap.from_dict({**plain, "colors": [{"color": [5, 5, 5], "id": 1}]}).encode_colors(rgb)
