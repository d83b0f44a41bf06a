"""Nothing that is read ends in a traceback: hundreds of broken PNGs and TOMLs, through the readers and commands.

What is drawn is the same in every run. A `UserError` of one line is the only exception that may come.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from desertseg.cli.main import group
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desertseg.data import image_size, read_image, read_mask
from desertseg.data.check import check_dataset
from desertseg.data.read import read_samples
from desertseg.engine.recipe import Recipe, load_recipe
from desertseg.engine.recipe.recipe import parse_change
from desertseg.engine.recipe.shipped import recipe_text
from desertseg.errors import UserError
from desertseg.label_mapping import load_mapping
from desertseg.label_text import labels_text
from desertseg.labels import LabelMap, load_labels
from desertseg.mapping_draft import draft_mapping

Toml = Callable[[str], st.SearchStrategy[str]]
FALCON = load_labels("falcon")
# What a program gives for JSON, of any shape: the readers of plain values see more than TOML can say.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
pytestmark = pytest.mark.filterwarnings("ignore:.*:Warning:PIL")  # of EXIF that is broken, of very large images


def some(examples: int) -> settings:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks, database=None)


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function does, None where the user is told in one line what is wrong."""
    try:
        return function(*arguments)
    except UserError as raised:
        message = str(raised)
    assert message.strip()
    assert message.isprintable()  # so it has no second line either
    return None


def run(*arguments: object) -> None:
    """Run a command: it ends with 0, 1 or 2 and never by an exception."""
    result = CliRunner().invoke(group, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 1, 2)
    assert "Traceback" not in result.output
    if result.exit_code == 2 and arguments[0] != "check":  # which tells what it found
        assert result.output.startswith(("desertseg: ", "Usage: "))


def test_broken_pngs_through_the_readers(broken_pngs: st.SearchStrategy, tmp_path: Path) -> None:
    read = 0

    @some(300)
    @given(broken_pngs)
    def read_all(drawn: tuple[str, bytes]) -> None:
        nonlocal read
        path = tmp_path / "a.png"
        path.write_bytes(drawn[1])
        image, size = attempt(read_image, path), attempt(image_size, path)
        labels, samples = attempt(read_mask, path, FALCON), attempt(read_samples, path)
        if image is not None and b"eXIf" not in drawn[1]:
            read += 1
            assert size == image.shape[:2]
        if labels is not None and samples is not None and FALCON.knows(samples):
            np.testing.assert_array_equal(labels, FALCON.encode(samples))

    read_all()
    assert read > 30  # some were only bruised: that is where a reader could go wrong in silence


@pytest.fixture
def one_frame(tmp_path: Path) -> Path:
    """A data folder of two frames in each split, to have one file of it broken."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for i in range(2):
            for kind in ("Color_Images", "Segmentation"):
                path = tmp_path / "data" / split / kind / f"cc{split}{i:04d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = (
                    rng.integers(0, 256, (13, 17, 3)) if kind == "Color_Images" else rng.choice(FALCON.ids, (13, 17))
                )
                cv2.imwrite(str(path), pixels.astype(np.uint8 if kind == "Color_Images" else np.uint16))
    return tmp_path / "data"


def test_broken_pngs_through_the_commands(broken_pngs: st.SearchStrategy, one_frame: Path, tmp_path: Path) -> None:
    @some(25)
    @given(broken_pngs, st.booleans())
    def command_all(drawn: tuple[str, bytes], of_mask: bool) -> None:
        path = one_frame / "train" / ("Segmentation" if of_mask else "Color_Images") / "cctrain0000.png"
        path.write_bytes(drawn[1])
        run("check", one_frame, "--labels", "falcon")
        run("labels", "new", "--from", one_frame)
        attempt(check_dataset, one_frame, "falcon")

    command_all()


@pytest.mark.parametrize("name", ["falcon7", "freiburg_forest"])
def test_broken_label_maps(name: str, broken_toml: Toml, tmp_path: Path) -> None:
    @some(150)
    @given(broken_toml(labels_text(name)))
    def load(text: str) -> None:
        path = tmp_path / "a.toml"
        path.write_text(text, encoding="utf-8")
        labels = attempt(load_labels, path)
        if labels is not None:
            assert LabelMap.from_dict(labels.to_dict()) == labels
            attempt(labels.encode, np.arange(0, 800, 100))
            attempt(labels.encode_colors, FALCON.colors[None])
        if hash(text) % 8 == 0:
            run("labels", path)

    load()


def test_broken_correspondences(broken_toml: Toml, tmp_path: Path) -> None:
    whole = draft_mapping(FALCON, load_labels("rugd"))
    whole = whole.replace('# ground = ["dirt", "sand", "gravel", "mulch"]', 'ground = ["gravel", "mulch"]')
    assert "\nground = " in whole

    @some(150)
    @given(broken_toml(whole))
    def load(text: str) -> None:
        path = tmp_path / "a.toml"
        path.write_text(text, encoding="utf-8")
        mapping = attempt(load_mapping, path)
        if mapping is not None:
            assert mapping.scored.num_classes == len(set(mapping.classes.values()) - {"ignore"})
        run("labels", "map", path)

    load()


@pytest.mark.parametrize("name", ["desert_best", "dinov2_phase4"])
def test_broken_recipes(name: str, broken_toml: Toml, tmp_path: Path) -> None:
    @some(80)
    @given(broken_toml(recipe_text(name)))
    def load(text: str) -> None:
        path = tmp_path / "a.toml"
        path.write_text(text, encoding="utf-8")
        recipe = attempt(load_recipe, path)
        if recipe is not None:
            assert Recipe.from_dict(recipe.to_dict()) == recipe

    load()


@some(150)
@given(st.binary(max_size=60))
def test_any_bytes_for_toml(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(data)
    for reader in (load_labels, load_mapping, load_recipe):
        attempt(reader, path)


@some(150)
@given(st.sampled_from(["name", "ids", "color", "cost", "classes", "colors", "ignore", "void", "description"]), VALUES)
def test_any_value_in_a_label_map(key: str, value: Any) -> None:
    data = FALCON.to_dict()
    (data["classes"][3] if key in ("name", "ids", "color", "cost") else data)[key] = value
    attempt(LabelMap.from_dict, data)


@some(150)
@given(st.data(), VALUES)
def test_any_value_in_a_recipe(data: st.DataObject, value: Any) -> None:
    recipe = Recipe().to_dict()
    section = data.draw(st.sampled_from(sorted(recipe)))
    recipe[section][data.draw(st.sampled_from(sorted(recipe[section])))] = value
    attempt(Recipe.from_dict, recipe)


@some(150)
@given(st.sampled_from(["train.epochs", "loss.options.a", "data.size", "train", "x", ""]), st.text(max_size=12))
def test_any_change_of_a_recipe(key: str, value: str) -> None:
    changed = attempt(parse_change, f"{key}={value}")
    if changed is not None:
        attempt(Recipe().with_changes, dict([changed]))


@pytest.mark.parametrize("value", ["[" * 3000, "1" * 5000, "\x00"])
def test_values_that_no_parser_likes(value: str, tmp_path: Path) -> None:
    attempt(Recipe().with_changes, dict([parse_change(f"train.epochs={value}")]))
    for reader in (load_labels, load_mapping, load_recipe):
        with pytest.raises(UserError):
            reader(tmp_path / f"{value[:9]}.toml")


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "a.toml").mkdir()
    for reader in (load_labels, load_mapping, load_recipe):
        with pytest.raises(UserError, match="Is a directory"):
            reader(tmp_path / "a.toml")
    shutil.rmtree(tmp_path / "a.toml")
