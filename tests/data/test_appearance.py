from __future__ import annotations

import colorsys

import numpy as np
import pytest

from desertseg.data.appearance import NAMES, describe_image


def described(image: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, describe_image(image).tolist(), strict=True))


def test_colours_against_the_standard_library() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    image[0] = 0
    found = described(image)
    saturation = [colorsys.rgb_to_hsv(*pixel)[1] for pixel in (image.reshape(-1, 3) / 255).tolist()]
    assert found["saturation"] == pytest.approx(np.mean(saturation), abs=1e-5)
    for k, name in enumerate(("red", "green", "blue")):
        assert found[name] == pytest.approx(image[..., k].mean() / 255, abs=1e-5)
        assert found[f"{name} spread"] == pytest.approx(image[..., k].std() / 255, abs=1e-5)
    assert found["warmth"] == pytest.approx(found["red"] - found["blue"], abs=1e-6)


def test_texture_is_the_gradient() -> None:
    columns = np.arange(40, dtype=np.uint8)
    ramp = np.broadcast_to(columns[None, :, None], (20, 40, 3))
    assert described(ramp)["fine texture"] == pytest.approx(1 / 255, rel=1e-3)
    assert described(ramp)["coarse texture"] == pytest.approx(4 / 255, rel=1e-3)
    checks = ((np.indices((20, 40)).sum(axis=0) % 2) * 200).astype(np.uint8)[..., None].repeat(3, axis=2)
    assert described(checks)["fine texture"] == pytest.approx(np.sqrt(2) * 200 / 255, rel=1e-3)
    assert described(checks)["coarse texture"] == pytest.approx(0, abs=1e-3)  # it is too fine to be seen there


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2)])
def test_the_smallest_pictures_have_finite_numbers(shape: tuple[int, int]) -> None:
    assert np.isfinite(describe_image(np.full((*shape, 3), 7, np.uint8))).all()
