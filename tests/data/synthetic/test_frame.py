"""draw_frame: a function of its arguments alone, that draws Falcon's classes where and as often as Falcon has them."""

import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desertseg.data.synthetic import DOMAINS, SyntheticError, draw_frame
from desertseg.data.synthetic.frame import REGION
from desertseg.data.synthetic.scene import make_scene
from desertseg.labels import load_labels

FALCON = load_labels("falcon")
ID = dict(zip(FALCON.names, FALCON.ids, strict=True))
SMALL = (54, 96)
# Percent of the pixels of Falcon's validation masks.
FALCON_SHARES = {
    "Trees": 4.07, "Lush Bushes": 6.02, "Dry Grass": 19.34, "Dry Bushes": 1.10, "Ground Clutter": 4.24,
    "Flowers": 2.44, "Logs": 0.067, "Rocks": 1.21, "Landscape": 23.77, "Sky": 37.76,
}  # fmt: skip


def checksum(index: int, domain: str = "desert") -> int:
    image, mask, name = draw_frame(0, index, domain, SMALL)
    return zlib.crc32(image.tobytes() + mask.tobytes() + name.encode())


def measure_shares(domain: str, frames: int) -> dict[str, float]:
    masks = np.stack(
        [draw_frame(seed, index, domain, (108, 192))[1] for seed in (0, 1) for index in range(frames // 2)]
    )
    return {name: 100 * float((masks == raw).mean()) for name, raw in ID.items()}


@pytest.fixture(scope="module")
def shares() -> dict[str, dict[str, float]]:
    return {"desert": measure_shares("desert", 64), "canyon": measure_shares("canyon", 36)}


def test_other_frames_and_caches_change_nothing():
    indices = [0, 5, 1, REGION, 2]
    first = [checksum(i) for i in indices]
    make_scene.cache_clear()
    assert [checksum(i) for i in reversed(indices)] == first[::-1]


def test_another_process_draws_the_same_bytes():
    code = (
        "import zlib; from desertseg.data.synthetic import draw_frame\n"
        "image, mask, name = draw_frame(0, 3, 'desert', (54, 96))\n"
        "print(zlib.crc32(image.tobytes() + mask.tobytes() + name.encode()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == checksum(3)


def test_seed_index_region_and_domain_all_matter():
    frames = [(0, 0, "desert"), (1, 0, "desert"), (0, 4, "desert"), (0, REGION, "desert"), (0, 0, "canyon")]
    assert len({draw_frame(*arguments, SMALL)[0].tobytes() for arguments in frames}) == len(frames)


def test_names_are_falcons():
    count = len(DOMAINS["desert"].scenes)
    names = [draw_frame(0, index, "desert", SMALL)[2] for index in range(2 * count)]
    assert names[:count] == [f"{style.prefix}0000000" for style in DOMAINS["desert"].scenes]
    assert names[count] == "cc0000001"
    assert len(set(names)) == len(names)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    seed=st.just(0),
    index=st.integers(0, 3 * REGION),
    domain=st.sampled_from(sorted(DOMAINS)),
    height=st.integers(32, 90),
    width=st.integers(32, 150),
)
def test_every_frame_is_a_frame(seed, index, domain, height, width):
    image, mask, _ = draw_frame(seed, index, domain, (height, width))
    assert image.dtype == np.uint8
    assert image.shape == (height, width, 3)
    assert mask.dtype == np.uint16
    assert mask.shape == (height, width)
    absent = {ID[name] for name in DOMAINS[domain].absent}
    assert set(np.unique(mask).tolist()) <= set(FALCON.ids) - absent
    assert (mask[-1] != ID["Sky"]).all(), "ground below"
    assert (mask[0] == ID["Sky"]).mean() > 0 or (mask == ID["Sky"]).mean() < 0.15, "sky above, unless cliffs hide it"
    assert image.std() > 15, "not a blank picture"


def test_sky_lies_above_the_land():
    for index in range(8):
        mask = draw_frame(0, index, "desert", SMALL)[1]
        rows = np.arange(SMALL[0])[:, None] * np.ones(SMALL)
        assert rows[mask == ID["Sky"]].mean() < rows[mask == ID["Landscape"]].mean()


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_a_small_frame_is_the_large_one_shrunk(index):
    """Same place, same objects. Thin blades and stones fall on other pixels, so they are compared as shares."""
    large_image, large, _ = draw_frame(0, index, "desert", (540, 960))
    small_image, small, _ = draw_frame(0, index, "desert", (96, 160))
    rows, columns = (np.arange(96) + 0.5) * 540 // 96, (np.arange(160) + 0.5) * 960 // 160
    shrunk = large[np.ix_(rows.astype(int), columns.astype(int))]
    assert (shrunk == small).mean() > 0.80
    assert ((shrunk == ID["Sky"]) == (small == ID["Sky"])).mean() > 0.97
    for raw in FALCON.ids:
        assert abs((large == raw).mean() - (small == raw).mean()) < 0.035
    assert np.abs(large_image.mean((0, 1)) - small_image.mean((0, 1))).max() < 5


@pytest.mark.parametrize("name", FALCON_SHARES)
def test_desert_shares_are_near_falcons(shares, name):
    """Within a factor of 1.6 for classes over 1 %, 2.5 for Logs: patches are large, and the frames only 64."""
    factor = 2.5 if name == "Logs" else 1.6
    assert FALCON_SHARES[name] / factor < shares["desert"][name] < FALCON_SHARES[name] * factor


def test_desert_ground_and_sky_are_near_falcons(shares):
    assert abs(shares["desert"]["Sky"] - 37.76) < 4
    assert abs(shares["desert"]["Dry Grass"] + shares["desert"]["Landscape"] - 43.11) < 7


def test_canyon_is_rocky_and_lacks_its_classes(shares):
    assert 13 < shares["canyon"]["Rocks"] < 23
    assert shares["canyon"]["Lush Bushes"] < 0.05
    for name in ("Ground Clutter", "Flowers", "Logs"):
        assert shares["canyon"][name] == 0


def test_canyon_is_darker_and_redder():
    means = {}
    for domain in ("desert", "canyon"):
        pictures = [draw_frame(0, index, domain, SMALL) for index in range(12)]
        land = np.concatenate([image[mask != ID["Sky"]] for image, mask, _ in pictures]).astype(float)
        means[domain] = land.mean(), (land[:, 0] / (land.sum(1) + 1)).mean()
    assert means["canyon"][0] < 0.9 * means["desert"][0]
    assert means["canyon"][1] > 1.08 * means["desert"][1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 0, "sea"), "no domain 'sea'"), ((0, -1, "desert"), "index -1"), ((0, 0, "desert", (20, 200)), "20x200")],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(SyntheticError, match=message):
        draw_frame(*arguments)
