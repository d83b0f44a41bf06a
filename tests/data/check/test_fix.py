"""A corrected copy: what it mends is right to the last pixel, and the original stays as it was."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from desertseg.data import DataError, find_frames, read_mask
from desertseg.data.check import check_dataset, fix_dataset, gather
from desertseg.data.check.fix import Fixed
from desertseg.labels import load_labels

FALCON = load_labels("falcon")


def fix(data: Path, out: Path) -> Fixed:
    found = gather(data)
    done: list[int] = []
    fixed = fix_dataset(found, check_dataset(found, FALCON), FALCON, out, progress=done.append)
    assert sum(done) == found.count
    return fixed


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def read_ids(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_clean_data_are_copied_byte_by_byte(clean_data: Path, tmp_path: Path) -> None:
    fixed = fix(clean_data, tmp_path / "out")
    assert (fixed.frames, fixed.left_out, fixed.rewritten) == (12, 0, 0)
    copied = digest(tmp_path / "out")
    assert "nothing" in (tmp_path / "out/check-fixes.txt").read_text()
    assert copied.pop("check-fixes.txt")
    assert copied == digest(clean_data)


def test_what_can_be_mended_is(data: Path, tmp_path: Path) -> None:
    before = {p.stem: read_ids(p) for p in (data / "train/Segmentation").iterdir()}
    masks, images = data / "train/Segmentation", data / "train/Color_Images"
    # a mask with its bytes exchanged, one in three channels, one in colours, one of half the size, one named otherwise
    cv2.imwrite(str(masks / "cc0000000.png"), before["cc0000000"].byteswap())
    cv2.imwrite(str(masks / "cc0000001.png"), cv2.merge([before["cc0000001"]] * 3))
    Image.fromarray(FALCON.colorize(FALCON.encode(before["cc0000002"]))).save(masks / "cc0000002.png")
    cv2.imwrite(str(masks / "cc0000003.png"), before["cc0000003"][1::2, 1::2])
    (masks / "mt0000004.png").rename(masks / "mt0000004_mask.png")
    # an image to be turned whose mask is not, and a truncated one
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.open(images / "mt0000005.png")
    stored.save(images / "mt0000005.jpg", exif=exif, quality=95)
    (images / "mt0000005.png").unlink()
    (images / "mt0000006.png").write_bytes((images / "mt0000006.png").read_bytes()[:-30])
    original = digest(data)
    assert check_dataset(data).exit_code == 2

    fixed = fix(data, tmp_path / "out")
    assert digest(data) == original
    assert (fixed.frames, fixed.left_out, fixed.rewritten) == (11, 1, 6)
    report = check_dataset(tmp_path / "out")
    assert report.exit_code == 0, report.findings
    frames = {f.name: f for f in find_frames(tmp_path / "out", "train")}
    assert "mt0000006" not in frames
    for stem in ("cc0000000", "cc0000001", "cc0000002", "mt0000004", "mt0000005", "mt0000007"):
        mask = frames[stem].mask
        assert mask
        ids = read_ids(mask)
        assert ids.dtype == np.uint16
        np.testing.assert_array_equal(ids, before[stem])
    assert (FALCON.decode(read_mask(frames["cc0000003"].mask or "", FALCON)) == before["cc0000003"]).mean() > 0.9
    turned = cv2.imread(str(frames["mt0000005"].image)).astype(int)
    expected = cv2.cvtColor(np.asarray(stored), cv2.COLOR_RGB2BGR).astype(int)
    assert turned.shape == expected.shape
    assert np.abs(turned - expected).mean() < 5  # it was a JPEG
    log = (tmp_path / "out/check-fixes.txt").read_text()
    assert "train/Color_Images/mt0000006.png: left out: the image cannot be read" in log
    assert "mt0000004_mask.png: renamed mt0000004.png" in log


def test_an_image_is_written_upright_where_its_mask_is(data: Path, tmp_path: Path) -> None:
    path = data / "train/Color_Images/cc0000001.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.asarray(Image.open(path))
    Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(path.with_suffix(".jpg"), exif=exif, quality=95)
    path.unlink()
    assert fix(data, tmp_path / "out").rewritten == 1
    written = np.asarray(Image.open(tmp_path / "out/train/Color_Images/cc0000001.png")).astype(int)
    assert np.abs(written - upright).mean() < 5
    assert check_dataset(tmp_path / "out").findings == ()


def test_what_cannot_be_used_is_left_out(data: Path, tmp_path: Path) -> None:
    images, masks = data / "train/Color_Images", data / "train/Segmentation"
    (masks / "cc0000000.png").unlink()
    (images / "cc0000001.png").unlink()
    cv2.imwrite(str(images / "cc0000002.png"), np.zeros((48, 80, 3), np.uint8))
    cv2.imwrite(str(images / "cc0000003.jpg"), cv2.imread(str(images / "cc0000003.png")))
    for kind in ("Color_Images", "Segmentation"):  # a frame of val in train, and one of train twice
        shutil.copy(data / "val" / kind / "w0000000.png", data / "train" / kind / "w0000900.png")
        shutil.copy(data / "train" / kind / "mt0000004.png", data / "train" / kind / "mt0000904.png")
    (data / "frames.lst").write_text("mt0000005.png a\ncc0000002.png b\nw0000000.png c\n")
    fixed = fix(data, tmp_path / "out")
    assert check_dataset(tmp_path / "out").findings == ()
    names = [f.name for f in find_frames(tmp_path / "out", "train")]
    assert names == ["mt0000004", "mt0000005", "mt0000006", "mt0000007"]
    assert len(find_frames(tmp_path / "out", "val")) == 4
    assert (fixed.frames, fixed.left_out) == (8, 5)
    assert (tmp_path / "out/frames.lst").read_text() == "mt0000005.png a\nw0000000.png c\n"


def test_a_nested_data_set_is_laid_flat(data: Path, tmp_path: Path) -> None:
    shutil.move(data, tmp_path / "outer/inner/data")
    fix(tmp_path / "outer", tmp_path / "out")
    assert (tmp_path / "out/train/Color_Images/cc0000001.png").is_file()
    assert check_dataset(tmp_path / "out").findings == ()


@pytest.mark.parametrize("out", ["data", "data/train/new", "."])
def test_never_in_place(data: Path, out: str) -> None:
    before = digest(data)
    with pytest.raises(DataError, match="nothing is mended in place"):
        fix(data, data.parent / out)
    assert digest(data) == before


def test_never_over_what_is_there(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious.txt").write_text("x")
    with pytest.raises(DataError, match="not empty"):
        fix(data, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["precious.txt"]


def test_a_copy_that_fails_leaves_nothing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("desertseg.data.check.fix.shutil.copy2", fail)
    with pytest.raises(DataError, match="No space left on device; choose another folder"):
        fix(data, tmp_path / "copies/out")
    assert list((tmp_path / "copies").iterdir()) == []
