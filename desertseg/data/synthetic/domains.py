"""What a desert looks like, in numbers: the scenes of each domain. Lengths in metres, colours RGB 0..255."""

from __future__ import annotations

from dataclasses import dataclass, field

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Population:
    """One kind of object: how many stand on a hectare, how tall they are, and which ground they like.

    Args:
        per_hectare: mean number on 10,000 square metres.
        height: (smallest, largest).
        likes: ground field that they follow ("grass", "clutter", "flower", "tint", "any").
        nearest, farthest: distance range from the camera in which they are drawn.
    """

    per_hectare: float
    height: tuple[float, float]
    likes: str = "any"
    nearest: float = 2.0
    farthest: float = 150.0


@dataclass(frozen=True)
class Style:
    """One scene: terrain, light, palette and plant mix."""

    prefix: str
    relief: float  # standard deviation of the terrain's height
    sun: tuple[float, float, float]  # direction to the sun: right, up, ahead
    sunlight: Color  # colour of direct light, 1 = white
    ambient: float  # share of light that shadow keeps
    zenith: Color
    horizon: Color
    cloud: float  # share of the sky under cloud
    haze: float  # distance at which haze has taken 63 %
    sand: tuple[Color, Color]
    grass: tuple[Color, Color]  # base, tip
    leaf: tuple[Color, Color]  # shaded, lit
    twig: tuple[Color, Color]
    stone: tuple[Color, Color]
    flower: tuple[Color, ...]
    hills: tuple[Color, Color]  # far and near distant ranges
    mesa: float  # 0 = rolling ranges, 1 = table mountains
    cover: dict[str, float]  # share of the ground under "grass", "clutter", "flower"
    tree: str  # "joshua" or "round"
    mix: dict[str, Population] = field(default_factory=dict)
    grass_height: float = 0.35
    eye: tuple[float, float] = (1.2, 1.9)
    skyline: tuple[float, float] = (0.405, 0.525)
    exposure: float = 1.0
    tracks: bool = False  # wheel tracks along the drive
    ripple: float = 0.3  # strength of wind ripples in the sand


@dataclass(frozen=True)
class Domain:
    """A named family of scenes. `absent` names the classes that never occur in it."""

    name: str
    scenes: tuple[Style, ...]
    absent: tuple[str, ...] = ()


def _mix(**changes: Population | None) -> dict[str, Population]:
    plain: dict[str, Population | None] = {
        "grass": Population(7000, (0.3, 0.75), "grass", 1.7, 24),
        "lush": Population(340, (0.5, 1.6), "grass"),
        "dry": Population(210, (0.5, 1.2), "tint"),
        "tree": Population(27, (2.8, 6.2), nearest=7),
        "rock": Population(125, (0.15, 1.1), "clutter", 2.5),
        "log": Population(18, (0.25, 0.5), nearest=3),
        "flower": Population(130, (0.4, 1.0), "flower"),
        "clutter": Population(500, (0.08, 0.22), "clutter", 2, 28),
    }
    return {kind: population for kind, population in (plain | changes).items() if population}


_GOLDEN = Style(
    prefix="cc", relief=5.5, sun=(0.75, 0.5, 0.35), sunlight=(1.06, 1.0, 0.9), ambient=0.5,
    zenith=(90, 136, 190), horizon=(214, 224, 228), cloud=0.42, haze=420,
    sand=((196, 150, 100), (164, 112, 66)), grass=((74, 50, 20), (196, 146, 70)), leaf=((34, 52, 14), (126, 150, 56)),
    twig=((52, 42, 30), (146, 122, 92)), stone=((74, 48, 32), (198, 142, 98)),
    flower=((240, 200, 40), (250, 240, 210), (230, 120, 30)), hills=((140, 150, 170), (172, 136, 100)), mesa=0.2,
    cover={"grass": 0.44, "clutter": 0.24, "flower": 0.06}, tree="joshua", ripple=0.15,
    mix=_mix(tree=Population(16, (2.8, 5.5), nearest=9), dry=Population(260, (0.5, 1.3), "grass")),
)  # fmt: skip
_JOSHUA = Style(
    prefix="mt", relief=1.1, sun=(-0.6, 0.62, -0.3), sunlight=(1.06, 1.0, 0.9), ambient=0.5,
    zenith=(70, 112, 168), horizon=(190, 206, 216), cloud=0.40, haze=380,
    sand=((170, 122, 84), (138, 92, 60)), grass=((88, 66, 36), (206, 170, 108)), leaf=((36, 48, 20), (116, 132, 62)),
    twig=((60, 50, 40), (150, 130, 106)), stone=((84, 54, 36), (206, 150, 104)),
    flower=((245, 210, 60), (240, 240, 230), (214, 90, 120)), hills=((112, 130, 158), (150, 128, 112)), mesa=0.5,
    cover={"grass": 0.40, "clutter": 0.36, "flower": 0.06}, tree="joshua",
    mix=_mix(tree=Population(60, (3.0, 7.0), nearest=7), lush=Population(380, (0.5, 1.4))), eye=(1.3, 1.8), tracks=True,
    skyline=(0.40, 0.52),
)  # fmt: skip
_WHITE = Style(
    prefix="w", relief=3.6, sun=(0.5, 0.42, 0.62), sunlight=(1.06, 1.02, 0.95), ambient=0.46,
    zenith=(84, 126, 180), horizon=(222, 226, 226), cloud=0.5, haze=360,
    sand=((214, 200, 178), (184, 164, 138)), grass=((70, 54, 28), (180, 150, 88)), leaf=((30, 42, 18), (112, 128, 66)),
    twig=((56, 50, 42), (152, 140, 120)), stone=((60, 56, 52), (150, 142, 130)),
    flower=((226, 210, 50), (245, 235, 120), (200, 190, 40)), hills=((132, 150, 176), (168, 160, 146)), mesa=0.3,
    cover={"grass": 0.37, "clutter": 0.34, "flower": 0.085}, tree="round", ripple=0.4,
    mix=_mix(
        lush=Population(720, (0.5, 1.7), "grass"), flower=Population(260, (0.5, 1.3), "flower"),
        tree=Population(30, (2.5, 5.5), nearest=8),
    ),
)  # fmt: skip
_WASH = Style(
    prefix="ww", relief=2.6, sun=(-0.8, 0.34, 0.2), sunlight=(1.12, 0.98, 0.82), ambient=0.45,
    zenith=(66, 104, 170), horizon=(238, 212, 176), cloud=0.34, haze=300,
    sand=((206, 164, 118), (172, 128, 88)), grass=((82, 58, 28), (214, 172, 94)), leaf=((36, 50, 18), (138, 146, 60)),
    twig=((58, 46, 36), (160, 132, 100)), stone=((82, 58, 46), (190, 146, 112)),
    flower=((220, 100, 190), (180, 110, 220), (250, 220, 240)), hills=((152, 128, 146), (166, 124, 100)), mesa=0.9,
    cover={"grass": 0.40, "clutter": 0.28, "flower": 0.085}, tree="round", ripple=0.6, tracks=True,
    mix=_mix(log=Population(26, (0.25, 0.55), nearest=3), lush=Population(480, (0.5, 1.6), "grass")),
)  # fmt: skip

_RED = Style(
    prefix="rc", relief=3.4, sun=(-0.55, 0.4, 0.5), sunlight=(1.12, 0.93, 0.8), ambient=0.5,
    zenith=(62, 92, 140), horizon=(208, 180, 158), cloud=0.25, haze=300,
    sand=((160, 82, 50), (124, 58, 36)), grass=((70, 44, 22), (176, 124, 62)), leaf=((30, 38, 16), (98, 104, 46)),
    twig=((46, 34, 26), (126, 98, 76)), stone=((66, 34, 26), (202, 118, 82)),
    flower=(), hills=((166, 88, 62), (134, 62, 40)), mesa=1.0,
    cover={"grass": 0.20, "clutter": 0.0, "flower": 0.0}, tree="round", exposure=0.9,
    mix=_mix(
        rock=Population(500, (0.25, 2.4), "tint", 4.0), outcrop=Population(20, (3.5, 10), "tint", 16, 155), log=None,
        flower=None, clutter=None, lush=None, tree=Population(10, (2.0, 4.0), nearest=8),
        grass=Population(4000, (0.3, 0.7), "grass", 1.7, 24), dry=Population(150, (0.5, 1.2), "grass"),
    ),
    eye=(1.0, 1.5), skyline=(0.42, 0.54),
)  # fmt: skip
"""One red scene from which the others differ in light, relief and mix."""


def _canyon_scenes() -> tuple[Style, ...]:
    from dataclasses import replace

    dusk = replace(
        _RED, prefix="rd", relief=1.8, sun=(0.85, 0.26, 0.1), sunlight=(1.2, 0.88, 0.72), zenith=(72, 84, 128),
        horizon=(226, 168, 132), cloud=0.35, tracks=True, exposure=0.94, tree="joshua",
        sand=((150, 78, 52), (112, 54, 38)), hills=((170, 92, 70), (120, 56, 42)),
        mix=_RED.mix | {"lush": Population(1.5, (0.5, 0.9)), "tree": Population(9, (2.5, 5.0), nearest=9)},
    )  # fmt: skip
    gorge = replace(
        _RED, prefix="rg", relief=5.0, sun=(0.4, 0.66, -0.4), sunlight=(1.08, 0.95, 0.84), cloud=0.12,
        sand=((172, 96, 58), (136, 70, 42)), stone=((70, 34, 24), (190, 106, 68)), exposure=0.9, skyline=(0.42, 0.54),
    )  # fmt: skip
    return _RED, dusk, gorge


DOMAINS: dict[str, Domain] = {
    "desert": Domain("desert", (_GOLDEN, _JOSHUA, _WHITE, _WASH)),
    "canyon": Domain("canyon", _canyon_scenes(), absent=("Ground Clutter", "Flowers", "Logs")),
}
