from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from desertseg.data import find_frames, read_image, read_mask
from desertseg.data.insights import compare_summaries, describe_summary, merge_values
from desertseg.data.summary import summarize
from desertseg.labels import LabelMap


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, write_pair: Callable) -> Path:
    folder = tmp_path_factory.mktemp("insights")
    for name in ("aa0", "aa1", "aa2", "bb0"):
        write_pair(folder, name, (30, 50))
    return folder


def test_values_are_those_of_all_pixels_at_once(data: Path, falcon: LabelMap) -> None:
    frames = find_frames(data)
    values = describe_summary(summarize(frames, falcon), falcon)
    json.dumps(values, allow_nan=False)
    masks = np.array([read_mask(f.mask, falcon) for f in frames])
    images = np.array([read_image(f.image) for f in frames])
    assert values["frames"] == 4
    assert values["pixels"] == masks.size
    assert values["ignored"] == 0
    assert values["sizes"] == [{"height": 30, "width": 50, "frames": 4}]
    np.testing.assert_allclose(values["color"]["mean"], images.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(values["color"]["std"], images.std(axis=(0, 1, 2)))
    for c, found in enumerate(values["classes"]):
        assert found["name"] == falcon.names[c]
        assert found["share"] == pytest.approx((masks == c).mean())
        assert found["share_where_present"] == pytest.approx((masks == c).mean())  # every frame has every class
        assert found["frames"] == 4
        assert 0 <= found["height"]["10"] < found["height"]["50"] < found["height"]["90"] <= 1
    expected = compute_class_weight("balanced", classes=np.arange(10), y=masks.ravel())
    np.testing.assert_allclose(values["weights"]["inverse"], expected / expected.mean())
    assert [s["name"] for s in values["scenes"]] == ["aa", "bb"]
    assert [s["frames"] for s in values["scenes"]] == [3, 1]
    np.testing.assert_allclose(values["scenes"][1]["shares"], np.bincount(masks[3].ravel(), minlength=10) / 1500)


def test_company_is_counted_in_frames(tmp_path: Path, falcon: LabelMap) -> None:
    contents = ([0, 0, 9, 9], [0, 1, 9, 9], [9, 9, 9, 9])
    for i, classes in enumerate(contents):
        labels = np.repeat(np.array(classes, np.uint8), 3)[None].repeat(8, axis=0)
        for folder, content in (("images", np.zeros((8, 12, 3), np.uint8)), ("masks", falcon.decode(labels))):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"a{i}.png"), content)
    values = describe_summary(summarize(find_frames(tmp_path), falcon), falcon)
    together = np.array(values["together"])
    np.testing.assert_array_equal(together[np.ix_([0, 1, 9], [0, 1, 9])], [[2, 1, 2], [1, 1, 1], [2, 1, 3]])
    assert together.sum() == 14
    trees = values["classes"][0]
    assert (trees["frames"], trees["regions"], trees["region_largest"]) == (2, 2, 48)
    assert trees["share_where_present"] == pytest.approx((48 + 24) / 2 / 96)
    assert trees["height"]["50"] == pytest.approx(0.5, abs=0.07)
    flowers = values["classes"][5]
    assert (flowers["pixels"], flowers["height"], flowers["region_median"]) == (0, None, None)
    assert values["weights"]["enet"][5] == 1


def test_a_set_of_ignored_pixels_alone_has_no_weights(data: Path, falcon: LabelMap) -> None:
    nothing = LabelMap("none", (falcon.classes[0].__class__("Water", (42,), (0, 0, 255)),), ignore=falcon.ids)
    values = describe_summary(summarize(find_frames(data), nothing), nothing)
    assert values["weights"] == {}
    assert values["pixels"] == 0
    assert values["ignored"] == 4 * 1500
    assert values["all_ignored"] == ["aa0", "aa1", "aa2", "bb0"]


def test_two_sets_are_compared() -> None:
    def describe(shares: list[float], mean: list[float]) -> dict:
        classes = [{"name": n, "share": s} for n, s in zip("abcd", shares, strict=True)]
        return {"classes": classes, "color": {"mean": mean, "std": [50.0, 40.0, 0.5]}}

    first, second = describe([0.5, 0.3, 0.2, 0], [100, 100, 100]), describe([0.1, 0.3, 0, 0.6], [125, 80, 100])
    shift = compare_summaries(first, second)
    assert shift["distance"] == pytest.approx(0.6)
    assert shift["only_in_first"] == ["c"]
    assert shift["only_in_second"] == ["d"]
    assert shift["color"] == pytest.approx([0.5, -0.5, 0])
    assert merge_values([first, second])["shift"] == shift
    assert "shift" not in merge_values([first])
