"""Every malformed thing, made here, is found, named, counted, and has a fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tomli_w
from PIL import Image

from desertseg.data import find_frames
from desertseg.data.check import Finding, check_dataset, gather
from desertseg.data.lists import write_list
from desertseg.errors import UserError
from desertseg.labels import load_labels

IMAGES, MASKS = "train/Color_Images", "train/Segmentation"
STEM = "cc0000001"
Draw = Callable[..., tuple[np.ndarray, np.ndarray]]


def mask_of(data: Path, stem: str = STEM) -> Path:
    return data / MASKS / f"{stem}.png"


def image_of(data: Path, stem: str = STEM) -> Path:
    return data / IMAGES / f"{stem}.png"


def change_masks(data: Path, change: Callable[[np.ndarray], np.ndarray], folder: str = MASKS) -> int:
    paths = sorted((data / folder).iterdir())
    for path in paths:
        cv2.imwrite(str(path), change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))
    return len(paths)


def find(data: Path, code: str, labels: str | Path | None = None) -> Finding:
    report = check_dataset(data, labels)
    found = [f for f in report.findings if f.code == code]
    assert len(found) == 1, [f.code for f in report.findings]
    assert found[0].fix
    assert not found[0].message.endswith(".")
    assert len(found[0].files) <= found[0].count
    return found[0]


def test_clean_data_are_clean(clean_data: Path) -> None:
    done: list[int] = []
    report = check_dataset(clean_data, progress=done.append, threads=2)
    assert (report.exit_code, report.findings, report.repairs) == (0, (), ())
    assert sum(done) == report.frames == 12
    assert report.splits == {"train": 8, "val": 4}
    assert report.sizes == {"80x48": 12}
    assert report.labels == "falcon"


def test_class_shares_are_counted_per_split(clean_data: Path) -> None:
    labels = load_labels("falcon")
    shares = check_dataset(clean_data).classes
    for split in ("train", "val"):
        masks = [cv2.imread(str(f.mask), cv2.IMREAD_UNCHANGED) for f in find_frames(clean_data, split)]
        for c in labels.classes:
            assert shares[c.name][split] == pytest.approx(float(np.isin(masks, c.ids).mean()))


class TestPairing:
    def test_an_image_without_a_mask(self, data: Path) -> None:
        mask_of(data).unlink()
        found = find(data, "no-mask")
        assert (found.severity, found.count, found.fixable) == ("error", 1, True)
        assert found.files == ((f"{IMAGES}/{STEM}.png", ""),)

    def test_a_mask_without_an_image(self, data: Path) -> None:
        image_of(data).unlink()
        assert find(data, "no-image").files == ((f"{MASKS}/{STEM}.png", ""),)

    def test_masks_that_are_named_otherwise_are_told_to_be_renamed(self, data: Path) -> None:
        for path in sorted((data / MASKS).iterdir())[1:]:  # one is missing: by order, all would be shifted
            path.rename(path.with_name(f"gt_{path.stem}_mask.png"))
        sorted((data / MASKS).iterdir())[0].unlink()
        report = check_dataset(data)
        found = next(f for f in report.findings if f.code == "no-mask")
        assert found.count == 8
        assert "7 masks are only named otherwise, as gt_cc0000001_mask.png for cc0000001" in found.fix
        renamed = {r.path.name: r.to for r in report.repairs if r.kind == "rename"}
        assert renamed["gt_mt0000007_mask.png"] == "mt0000007.png"
        assert len(renamed) == 7

    def test_two_files_of_one_name(self, data: Path) -> None:
        cv2.imwrite(str(image_of(data).with_suffix(".jpg")), cv2.imread(str(image_of(data))))
        found = find(data, "double-name")
        assert found.files == ((f"{IMAGES}/{STEM}.jpg", f"and {STEM}.png"),)

    def test_images_without_any_masks(self, data: Path) -> None:
        shutil.rmtree(data / "val/Segmentation")
        found = find(data, "no-masks")
        assert (found.severity, found.count) == ("warning", 4)

    def test_nested_folders_and_strays_are_notes(self, data: Path, tmp_path: Path) -> None:
        (data / IMAGES / "Thumbs.db").write_bytes(b"x")
        (data / "__MACOSX").mkdir()
        (data / IMAGES / "._cc0000001.png").write_bytes(b"x")
        shutil.move(data, tmp_path / "outer/inner/data")
        report = check_dataset(tmp_path / "outer")
        assert {f.code: f.severity for f in report.findings} == {"nested": "note", "strays": "note"}
        assert report.exit_code == 0
        assert "in inner/data" in report.findings[0].message

    def test_a_folder_without_splits_says_what_fit_does(self, data: Path) -> None:
        assert "last fifth" in find(data / "train", "no-splits").message

    def test_a_folder_of_lists(self, data: Path, tmp_path: Path) -> None:
        for split in ("train", "val"):
            write_list(tmp_path / f"lists/{split}.txt", find_frames(data, split), data)
        cv2.imwrite(str(image_of(data)), np.zeros((48, 80, 3), np.uint8))
        report = check_dataset(tmp_path / "lists")
        assert report.splits == {"train": 8, "val": 4}
        assert [(f.code, f.files) for f in report.findings] == [("constant-image", ((f"{IMAGES}/{STEM}.png", ""),))]

    def test_several_data_sets_are_refused(self, data: Path, tmp_path: Path) -> None:
        shutil.copytree(data, tmp_path / "other")
        with pytest.raises(UserError, match="holds several data sets"):
            gather(tmp_path)


class TestFiles:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [(None, "cut off"), (b"", "is empty"), (b"version https://git-lfs.github.com/spec/v1", "git lfs pull")],
    )
    @pytest.mark.parametrize(("where", "code"), [(image_of, "unreadable-image"), (mask_of, "unreadable-mask")])
    def test_unreadable(self, data: Path, content: bytes | None, reason: str, where: Callable, code: str) -> None:
        path = where(data)
        path.write_bytes(path.read_bytes()[:-20] if content is None else content)
        found = find(data, code)
        assert (found.severity, found.count) == ("error", 1)
        assert reason in found.files[0][1]

    def test_a_jpeg_mask(self, data: Path) -> None:
        mask = cv2.imread(str(mask_of(data)), cv2.IMREAD_UNCHANGED)
        mask_of(data).unlink()
        cv2.imwrite(str(mask_of(data).with_suffix(".jpg")), mask.astype(np.uint8))
        assert find(data, "jpeg-mask").count == 1

    def test_an_image_of_one_color(self, data: Path) -> None:
        cv2.imwrite(str(image_of(data)), np.full((48, 80, 3), 7, np.uint8))
        assert find(data, "constant-image").severity == "warning"

    def test_gray_among_color(self, data: Path) -> None:
        cv2.imwrite(str(image_of(data)), cv2.imread(str(image_of(data)), cv2.IMREAD_GRAYSCALE))
        assert find(data, "gray-image").severity == "warning"

    def test_deep_and_transparent_images_are_notes(self, data: Path) -> None:
        image = cv2.imread(str(image_of(data)))
        cv2.imwrite(str(image_of(data)), image.astype(np.uint16) * 256)
        cv2.imwrite(str(image_of(data, "cc0000002")), cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)[::-1])
        report = check_dataset(data)
        assert {f.code: f.severity for f in report.findings} == {"deep-image": "note", "alpha-image": "note"}


class TestSizes:
    def test_a_mask_of_half_the_size(self, data: Path) -> None:
        cv2.imwrite(str(mask_of(data)), cv2.imread(str(mask_of(data)), cv2.IMREAD_UNCHANGED)[::2, ::2])
        found = find(data, "mask-size")
        assert found.files == ((f"{MASKS}/{STEM}.png", "40x24, its image 80x48"),)
        assert [r.kind for r in check_dataset(data).repairs] == ["resize"]

    def test_a_mask_of_another_shape_is_left_out(self, data: Path) -> None:
        cv2.imwrite(str(mask_of(data)), cv2.imread(str(mask_of(data)), cv2.IMREAD_UNCHANGED)[:, :60])
        assert find(data, "mask-size").count == 1
        assert [r.kind for r in check_dataset(data).repairs] == ["drop"]

    @pytest.mark.parametrize(
        ("size", "code", "severity"), [((60, 60), "aspect", "warning"), ((96, 160), "sizes", "note")]
    )
    def test_several_sizes(self, data: Path, draw: Draw, size: tuple[int, int], code: str, severity: str) -> None:
        image, mask = draw(50, size)
        cv2.imwrite(str(image_of(data)), image)
        cv2.imwrite(str(mask_of(data)), mask)
        found = find(data, code)
        assert found.severity == severity
        assert f"{size[1]}x{size[0]} (1)" in found.message

    @pytest.mark.parametrize(
        ("orientation", "turned_mask", "code", "severity"),
        [(6, False, "exif-mask", "error"), (8, True, "exif-image", "warning"), (3, False, "exif-unclear", "warning")],
    )
    def test_turned_by_exif(self, data: Path, orientation: int, turned_mask: bool, code: str, severity: str) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.open(image_of(data)).save(image_of(data).with_suffix(".jpg"), exif=exif, quality=95)
        image_of(data).unlink()
        if turned_mask:
            mask = cv2.imread(str(mask_of(data)), cv2.IMREAD_UNCHANGED)
            cv2.imwrite(str(mask_of(data)), np.ascontiguousarray(np.rot90(mask)))
        report = check_dataset(data)
        assert {(f.code, f.severity) for f in report.findings} - {("aspect", "warning")} == {(code, severity)}


class TestIds:
    @pytest.mark.parametrize(
        ("change", "how"),
        [
            (lambda mask: mask >> 8, "the high byte kept"),
            (lambda mask: mask.clip(max=255), "clipped at 255"),
            (lambda mask: mask & 255, "the low byte kept"),
            (lambda mask: np.round(mask * (255 / 10000)), "scaled to 255"),
        ],
    )
    def test_16_bit_read_as_8(self, data: Path, change: Callable, how: str) -> None:
        count = change_masks(data, lambda mask: change(mask).astype(np.uint8))
        found = find(data, "8-bit")
        assert (found.severity, found.count, found.fixable) == ("error", count, False)
        assert how in found.message
        assert "IMREAD_UNCHANGED" in found.fix
        assert not any(f.code == "unknown-ids" for f in check_dataset(data).findings)

    def test_some_masks_of_8_bits(self, data: Path) -> None:
        cv2.imwrite(str(mask_of(data)), np.full((48, 80), 200, np.uint8))
        found = find(data, "mask-depth")
        assert (found.severity, found.count) == ("warning", 1)
        assert "1 of 12 masks have 8 bits" in found.message
        assert "8 classes of 'falcon'" in found.message

    @pytest.mark.parametrize(("first", "how"), [(0, "from 0"), (1, "from 1")])
    def test_class_indices(self, data: Path, first: int, how: str) -> None:
        labels = load_labels("falcon")
        change_masks(data, lambda mask: labels.encode(mask) + np.uint8(first))
        found = find(data, "class-indices")
        assert found.count == 8
        assert how in found.message

    def test_swapped_bytes(self, data: Path) -> None:
        change_masks(data, lambda mask: mask.byteswap())
        found = find(data, "byte-order")
        assert (found.count, found.fixable) == (8, True)
        assert sum(r.kind == "swap bytes" for r in check_dataset(data).repairs) == 8

    def test_unknown_ids_with_pixels_and_masks(self, data: Path) -> None:
        for stem, pixels in ((STEM, 3), ("cc0000002", 4)):
            mask = cv2.imread(str(mask_of(data, stem)), cv2.IMREAD_UNCHANGED)
            mask[0, :pixels] = 45
            mask[1, 0] = 77 if pixels == 4 else mask[1, 0]
            cv2.imwrite(str(mask_of(data, stem)), mask)
        found = find(data, "unknown-ids")
        assert found.count == 2
        assert "45 (7 pixels, 2 masks), 77 (1 pixel, 1 mask)" in found.message
        assert "list 45, 77 under ignore" in found.fix
        assert found.files[1] == (f"{MASKS}/cc0000002.png", "45, 77 (5 pixels)")

    def test_the_right_label_map_is_named(self, data: Path) -> None:
        found = find(data, "unknown-ids", _without_flowers(data))
        assert "600" in found.message
        assert "use --labels falcon" in found.fix

    def test_masks_resized_by_interpolation(self, data: Path) -> None:
        change_masks(data, lambda mask: cv2.resize(cv2.resize(mask, (61, 37)), (80, 48)))
        found = find(data, "noisy-ids")
        assert found.count == 8
        assert "INTER_NEAREST" in found.fix
        assert "unknown values" in found.files[0][1]

    def test_two_troubles_at_once_are_told_apart(self, data: Path) -> None:
        change_masks(data, lambda mask: (mask >> 8).astype(np.uint8))
        change_masks(data, lambda mask: mask.byteswap(), "val/Segmentation")
        codes = {f.code: f.count for f in check_dataset(data).findings}
        assert codes["8-bit"] == 8
        assert codes["byte-order"] == 4


class TestKinds:
    def test_ids_in_three_channels_among_single_ones(self, data: Path) -> None:
        mask = cv2.imread(str(mask_of(data)), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(mask_of(data)), cv2.merge([mask] * 3))
        found = find(data, "mask-kind")
        assert (found.severity, found.count, found.fixable) == ("warning", 1, True)
        assert found.files == ((f"{MASKS}/{STEM}.png", "raw ids in three equal channels"),)

    def test_colors_and_palettes_among_ids(self, data: Path) -> None:
        labels = load_labels("falcon")
        indices = labels.encode(cv2.imread(str(mask_of(data)), cv2.IMREAD_UNCHANGED))
        Image.fromarray(labels.colorize(indices)).save(mask_of(data))
        palette = Image.fromarray(indices)
        palette.putpalette(labels.colors.ravel().tolist())
        palette.save(mask_of(data, "cc0000002"))
        found = find(data, "mask-kind")
        assert found.count == 2
        assert {what for _, what in found.files} == {
            "the classes' colours",
            "an indexed PNG whose colours are the classes'",
        }

    def test_masks_of_one_other_kind_are_a_note(self, data: Path) -> None:
        labels = load_labels("falcon")
        for split in ("train", "val"):
            for path in sorted((data / split / "Segmentation").iterdir()):
                colors = labels.colorize(labels.encode(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))
                cv2.imwrite(str(path), colors[..., ::-1])
        report = check_dataset(data)
        assert [(f.code, f.severity) for f in report.findings] == [("mask-kind", "note")]
        assert report.repairs == ()

    def test_unknown_colors(self, data: Path) -> None:
        colors = np.zeros((48, 80, 3), np.uint8)
        colors[:, :40] = 1, 2, 3
        cv2.imwrite(str(mask_of(data)), colors)
        found = find(data, "unknown-colors")
        assert "(3, 2, 1) (1,920 pixels)" in found.message

    def test_a_palette_that_can_be_read_in_two_ways(self, data: Path, tmp_path: Path) -> None:
        toml = tmp_path / "two.toml"
        classes = "".join(
            f'[[classes]]\nname = "{n}"\nids = [{i}]\ncolor = [{c}, 0, 0]\n' for n, i, c in (("a", 0, 9), ("b", 1, 8))
        )
        toml.write_text(f'name = "two"\nvoid = 5\n{classes}')
        for split in ("train", "val"):
            for path in sorted((data / split / "Segmentation").iterdir()):
                mask = Image.fromarray((np.arange(48 * 80).reshape(48, 80) % 2).astype(np.uint8))
                mask.putpalette([8, 0, 0, 9, 0, 0])
                mask.save(path)
        found = find(data, "palette", str(toml))
        assert (found.severity, found.count) == ("warning", 12)

    def test_all_ignored_and_one_class(self, data: Path, tmp_path: Path) -> None:
        toml = tmp_path / "ignoring.toml"
        labels = load_labels("falcon").to_dict() | {"ignore": [9], "void": 9}
        toml.write_text(tomli_w.dumps(labels))
        cv2.imwrite(str(mask_of(data)), np.full((48, 80), 9, np.uint16))
        cv2.imwrite(str(mask_of(data, "cc0000002")), np.full((48, 80), 10000, np.uint16))
        report = check_dataset(data, toml)
        assert {f.code: f.severity for f in report.findings} == {"all-ignored": "warning", "one-class": "note"}
        assert report.findings[1].files == ((f"{MASKS}/cc0000002.png", "Sky"),)


class TestDuplicates:
    def copy(self, data: Path, source: str, target: str, mask: bool = True) -> None:
        for kind in ("Color_Images", "Segmentation") if mask else ("Color_Images",):
            one, other = (
                data / split / kind / f"{stem}.png" for split, stem in (s.split("/") for s in (source, target))
            )
            cv2.imwrite(str(other), cv2.imread(str(one), cv2.IMREAD_UNCHANGED), [cv2.IMWRITE_PNG_COMPRESSION, 9])

    def test_within_a_split(self, data: Path) -> None:
        self.copy(data, "train/cc0000001", "train/cc0000900")
        found = find(data, "same-image")
        assert (found.severity, found.count) == ("warning", 1)
        assert found.files == ((f"{IMAGES}/cc0000900.png", f"the same as {IMAGES}/cc0000001.png"),)

    def test_across_splits_train_gives_way(self, data: Path) -> None:
        self.copy(data, "train/cc0000001", "val/w0000900")
        report = check_dataset(data)
        assert [(f.code, f.severity, f.count) for f in report.findings] == [("same-image-across", "error", 1)]
        assert [(r.kind, r.path.name) for r in report.repairs] == [("drop", "cc0000001.png")]

    def test_one_image_with_two_masks(self, data: Path) -> None:
        self.copy(data, "train/cc0000001", "train/cc0000002", mask=False)
        report = check_dataset(data)
        assert {f.code for f in report.findings} == {"same-image", "same-image-other-mask"}
        assert report.repairs == ()  # which mask is right, nobody knows

    def test_nearly_the_same_across_splits(self, data: Path, draw: Draw) -> None:
        image, mask = draw(1)
        brighter = cv2.convertScaleAbs(image, alpha=0.97, beta=5)
        cv2.imwrite(str(data / "val/Color_Images/w0000900.jpg"), brighter)
        cv2.imwrite(str(data / "val/Segmentation/w0000900.png"), mask)
        found = find(data, "near-val-train")
        assert (found.severity, found.count) == ("warning", 1)
        assert found.files[0][0] == "val/Color_Images/w0000900.jpg"
        assert f"near {IMAGES}/cc0000001.png" in found.files[0][1]
        assert "1 of 5 frames of split val (20 %)" in found.message

    def test_nearly_the_same_within_a_split_is_a_note(self, data: Path, draw: Draw) -> None:
        image, mask = draw(1)
        cv2.imwrite(str(data / IMAGES / "cc0000900.jpg"), image)
        cv2.imwrite(str(data / MASKS / "cc0000900.png"), mask)
        assert find(data, "near").severity == "note"


class TestSplits:
    def test_classes_that_a_split_lacks(self, data: Path) -> None:
        change_masks(data, lambda mask: np.where(mask == 700, 800, mask))
        change_masks(data, lambda mask: np.where(mask == 600, 800, mask), "val/Segmentation")
        report = {f.code: f for f in check_dataset(data).findings}
        assert set(report) == {"not-in-train", "not-in-val"}
        assert report["not-in-train"].message.startswith("Logs is in split val but not in train")
        assert report["not-in-val"].message.startswith("Flowers is in train but not in split val")

    def test_a_class_nowhere_and_a_thin_one_are_notes(self, data: Path, draw: Draw) -> None:
        change_masks(data, lambda mask: np.where(mask == 700, 800, mask))
        change_masks(data, lambda mask: np.where(np.isin(mask, (700, 600)), 800, mask), "val/Segmentation")
        for i in range(4):
            image, mask = draw(200 + i)
            cv2.imwrite(str(data / f"val/Color_Images/w00009{i:02}.png"), image)
            mask[mask == 700] = 800
            mask[mask == 600] = 600 if i < 2 else 800
            cv2.imwrite(str(data / f"val/Segmentation/w00009{i:02}.png"), mask)
        report = {f.code: (f.severity, f.message) for f in check_dataset(data).findings}
        assert set(report) == {"nowhere", "thin"}
        assert report["nowhere"] == ("note", "1 class of 'falcon' in no frame: Logs")
        assert report["thin"][1].startswith("Flowers is in fewer than 3 frames of val")


def _without_flowers(data: Path) -> Path:
    labels = load_labels("falcon").to_dict()
    labels["classes"] = [c for c in labels["classes"] if c["name"] != "Flowers"]
    path = data.parent / "no_flowers.toml"
    path.write_text(tomli_w.dumps(labels | {"name": "no_flowers"}))
    return path
