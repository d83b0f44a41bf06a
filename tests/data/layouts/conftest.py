"""Each data set in its exact format, tiny: a few frames of drawn blocks, whose masks are stored as its authors do it.

Values, colours and file names are written out here once more, so that the label maps are held against something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZE = (24, 40)
IGNORED = "(ignored)"
Store = Callable[[Path, np.ndarray], None]


@dataclass
class Made:
    """What was drawn: the folder to give, its layout, and of each image which class is where, by name."""

    folder: Path
    layout: str
    labels: str
    splits: dict[str, int]
    truth: dict[Path, np.ndarray] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    drawn: int = 0

    def add(self, image: Path, mask: Path | None, store: Store | None = None) -> None:
        """Write a frame; without `mask` an image alone."""
        self.drawn += 1
        random = np.random.default_rng(self.drawn)
        grid = random.integers(0, len(self.classes), (3, 5))
        index = np.kron(grid, np.ones((8, 8), int)).astype(np.uint8)
        shades = np.random.default_rng(7).integers(0, 200, (len(self.classes), 3))
        pixels = (shades[index] + random.integers(0, 40, (*SIZE, 3))).astype(np.uint8)
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(image)
        if mask is not None and store is not None:
            mask.parent.mkdir(parents=True, exist_ok=True)
            store(mask, index)
            self.truth[image] = np.array(self.classes)[index]


def gray(values: list[int], kind: type = np.uint8) -> Store:
    return lambda path, index: Image.fromarray(np.array(values, kind)[index]).save(path)


def gray_as_rgb(values: list[int]) -> Store:
    return lambda path, index: Image.fromarray(np.repeat(np.array(values, np.uint8)[index][..., None], 3, 2)).save(path)


def colors(values: list[tuple[int, int, int]]) -> Store:
    return lambda path, index: Image.fromarray(np.array(values, np.uint8)[index]).save(path)


def palette(values: list[int], table: dict[int, tuple[int, int, int]]) -> Store:
    def store(path: Path, index: np.ndarray) -> None:
        image = Image.fromarray(np.array(values, np.uint8)[index], mode=None).convert("L")
        image.putpalette([v for i in range(256) for v in table.get(i, (0, 0, 0))])
        assert image.mode == "P"
        image.save(path)

    return store


def _number(split: str, i: int) -> int:
    """Frames of different splits never share a name, as in the data sets themselves."""
    return {"train": 10, "val": 20, "test": 30}[split] + i


def make_falcon(root: Path, variant: str = "") -> Made:
    classes = ("Trees", "Flowers", "Landscape", "Sky")
    made = Made(root, "falcon", "falcon", {"train": 5, "val": 2, "test": 2}, classes=classes)
    top = root / "Offroad_Segmentation_Training_Dataset"
    places = {"train": top / "train", "val": top / "val", "test": root / "Offroad_Segmentation_testImages"}
    if variant == "nested twice":
        places["train"], places["val"] = (top / top.name / s for s in ("train", "val"))
        places["test"] = places["test"] / places["test"].name
    for split, folder in places.items():
        for i in range(made.splits[split]):
            name = f"{'cc' if i % 2 else 'mt'}{_number(split, i):07}.png"
            store = gray([100, 600, 7100, 10000], np.uint16)
            made.add(folder / "Color_Images" / name, folder / "Segmentation" / name, store)
    return made


def make_rugd(root: Path, variant: str = "") -> Made:
    classes = (IGNORED, "dirt", "rock-bed", "concrete", "sky")
    made = Made(root, "rugd", "rugd", {"train": 5, "val": 2, "test": 2}, classes=classes)
    store = colors([(0, 0, 0), (108, 64, 20), (102, 102, 0), (101, 101, 11), (0, 0, 255)])
    images, masks = root / "RUGD_frames-with-annotations", root / "RUGD_annotations"
    if variant == "nested twice":
        images, masks = images / images.name, masks / masks.name
    sequences = {"park-2": 2, "trail": 2, "village": 1, "park-8": 1, "trail-5": 1, "creek": 1, "trail-13": 1}
    for sequence, count in sequences.items():
        for i in range(count):
            name = f"{sequence}/{sequence}_{1 + 5 * i:05}.png"
            made.add(images / name, masks / name, store)
    (masks / "RUGD_annotation-colormap.txt").write_text("0 void 0 0 0\n1 dirt 108 64 20\n")
    if variant == "converted by GANav":
        Image.new("L", (40, 24)).save(masks / "creek/creek_00001_orig.png")
    return made


def make_rellis3d(root: Path, variant: str = "") -> Made:
    classes = (IGNORED, IGNORED, "grass", "water", "mud", "rubble")
    made = Made(root, "rellis3d", "rellis3d", {"train": 5, "val": 2, "test": 2}, classes=classes)
    store = gray([0, 1, 3, 6, 33, 34])
    images = masks = lists = root / "Rellis-3D"
    if variant == "archives side by side":
        images = root / "Rellis_3D_pylon_camera_node/Rellis-3D"
        masks = root / "Rellis_3D_pylon_camera_node_label_id/Rellis-3D"
        lists = root / "Rellis_3D_image_split"
    frames = [f"{sequence:05}/{{}}/frame{i:06}-158162465{i}_750" for sequence in (0, 4) for i in range(5)]
    image, mask = f"{frames[0].format('pylon_camera_node')}.jpg", ""
    for frame in frames:
        image = images / f"{frame.format('pylon_camera_node')}.jpg"
        mask = masks / f"{frame.format('pylon_camera_node_label_id')}.png"
        made.add(image, None if frame == frames[-1] else mask, store)
        colored = masks / f"{frame.format('pylon_camera_node_label_color')}.png"
        colored.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 24)).save(colored)
    lists.mkdir(exist_ok=True)
    for split, part in {"train": frames[:7:2] + frames[7:8], "val": frames[1:4:2], "test": frames[5:9:3]}.items():
        if variant != "without lists":
            rows = [f"{f.format('pylon_camera_node')}.jpg {f.format('pylon_camera_node_label_id')}.png\n" for f in part]
            (lists / f"{split}.lst").write_text("".join(rows))
    return made


def make_goose(root: Path, variant: str = "", cameras: tuple[str, ...] = ("windshield_vis",)) -> Made:
    classes = (IGNORED, "snow", "hedge", "low_grass", "military_vehicle")
    layout, prefix = ("goose", "goose") if cameras[0] == "windshield_vis" else ("goose_ex", "gooseEx")
    made = Made(root, layout, "goose", {"train": 5, "val": 2}, classes=classes)
    for split, count in {**made.splits, "test": 2}.items():
        top = root if variant == "merged" else root / f"{prefix}_2d_{split}"
        for i in range(count):
            scenario, camera = f"2023-03-0{1 + i % 2}_garching", cameras[i % len(cameras)]
            stem = f"{scenario}/{scenario}__{_number(split, i):04}_167775432381304872{i}"
            image, mask = top / f"images/{split}/{stem}_{camera}.png", top / f"labels/{split}/{stem}_labelids.png"
            made.add(image, None if split == "test" else mask, gray([0, 2, 59, 50, 63]))
            if camera == "windshield_vis":
                Image.new("L", (40, 24)).save(image.with_name(image.name.replace("_vis", "_nir")))
            if split != "test":
                Image.new("RGB", (40, 24)).save(mask.with_name(mask.name.replace("_labelids", "_color")))
                Image.new("L", (40, 24)).save(mask.with_name(mask.name.replace("_labelids", "_instanceids")))
        (top / "goose_label_mapping.csv").write_text("class_name,label_key,has_instance,hex\nundefined,0,0,#000000\n")
    return made


def make_goose_ex(root: Path, variant: str = "") -> Made:
    return make_goose(root, variant, ("camera_left", "front", "realsense"))


def make_tas500(root: Path, variant: str = "") -> Made:
    classes = (IGNORED, "asphalt", "misc. vegetation", "ego vehicle")
    made = Made(root, "tas500", "tas500", {"train": 5, "val": 2}, classes=classes)
    for split, count in {**made.splits, "test": 2}.items():
        for i in range(count):
            image = root / f"tas500v1.1/{split}/15936842{_number(split, i):02}_0000000{i}.png"
            mask = None if split == "test" else root / f"tas500v1.1/{split}_labels_ids" / image.name
            made.add(image, mask, gray_as_rgb([255, 0, 8, 22]))
    return made


def make_ycor(root: Path, variant: str = "") -> Made:
    classes = (IGNORED, "smooth trail", "puddle", "sky")
    made = Made(root, "ycor", "ycor", {"train": 5, "val": 2}, classes=classes)
    table = {0: (255, 255, 255), 1: (178, 176, 153), 4: (255, 0, 128), 8: (1, 88, 255)}
    for split, folder in (("train", "train"), ("val", "valid")):
        for i in range(made.splits[split]):
            frame = root / f"yamaha_v0/{folder}/iid{i + (839 if split == 'val' else 8):06}"
            made.add(frame / "rgb.jpg", frame / "labels.png", palette([0, 1, 4, 8], table))
    return made


def make_freiburg_forest(root: Path, variant: str = "") -> Made:
    classes = (IGNORED, "obstacle", "road/trail", "vegetation", "vegetation")
    made = Made(root, "freiburg_forest", "freiburg_forest", {"train": 5, "test": 2}, classes=classes)
    store = colors([(255, 255, 255), (0, 0, 0), (170, 170, 170), (102, 102, 51), (0, 60, 0)])
    ending = "mask" if variant == "masks called mask" else "Clipped"
    for split, count in made.splits.items():
        folder = root / "freiburg_forest_annotated" / split
        for i in range(count):
            stem = f"b1-095{_number(split, i)}"
            made.add(folder / f"rgb/{stem}_Clipped.jpg", folder / f"GT_color/{stem}_{ending}.png", store)
            for other in ("depth_gray", "nir_gray", "evi_color"):
                (folder / other).mkdir(exist_ok=True)
                Image.new("L", (40, 24)).save(folder / other / f"{stem}.png")
    return made


def make_folders(root: Path, variant: str = "") -> Made:
    made = Made(root, "folders", "falcon7", {"train": 8, "val": 2}, classes=(IGNORED, "Trees", "Sky"))
    for i in range(10):
        made.add(root / f"images/f{i}.jpg", root / f"masks/f{i}.png", gray([700, 100, 10000], np.uint16))
    return made


MAKERS = {name.removeprefix("make_"): make for name, make in globals().items() if name.startswith("make_")}


@pytest.fixture(scope="session")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """A function that gives a data set by name, and by variant where it comes in several; made once a session."""
    made: dict[tuple[str, str], Made] = {}

    def get(name: str, variant: str = "") -> Made:
        if (name, variant) not in made:
            made[name, variant] = MAKERS[name](tmp_path_factory.mktemp(name), variant)
        return made[name, variant]

    return get
