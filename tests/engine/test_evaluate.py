from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from desertseg.data import find_frames, read_mask
from desertseg.engine import evaluate, load_segmenter, predict
from desertseg.engine.evaluation_folder import check_other_data
from desertseg.errors import UserError
from desertseg.labels import load_labels
from desertseg.metrics import Scores
from desertseg.models import Segmenter


@pytest.fixture(scope="module")
def evaluation(tiny_run: Path, tiny_desert: Path):
    return evaluate(tiny_run / "best.keras", tiny_desert, progress=False)


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Segmenter:
    return load_segmenter(tiny_run / "best.keras")


def small_model(labels: str = "falcon") -> Segmenter:
    """One convolution, which compiles at once."""
    pictures, classes = keras.Input((None, None, 3)), load_labels(labels).num_classes
    network = keras.Model(pictures, keras.layers.Conv2D(classes, 1)(pictures))
    return Segmenter(network, load_labels(labels), (32, 64))


def test_scores_are_those_of_the_predicted_masks(evaluation, tiny_run: Path, tiny_desert: Path, tmp_path: Path) -> None:
    """The written masks, read back with OpenCV and counted by scikit-learn, give the same matrix to the pixel."""
    falcon = load_labels("falcon")
    predict(tiny_run / "best.keras", tiny_desert / "val" / "Color_Images", tmp_path / "out", progress=False)
    truth, predicted = [], []
    for frame in find_frames(tiny_desert, "val"):
        truth.append(cv2.imread(str(frame.mask), cv2.IMREAD_UNCHANGED).ravel())
        predicted.append(
            cv2.imread(str(tmp_path / "out" / "masks" / f"{frame.name}.png"), cv2.IMREAD_UNCHANGED).ravel()
        )
    truth, predicted = np.concatenate(truth), np.concatenate(predicted)
    np.testing.assert_array_equal(evaluation.scores.confusion, confusion_matrix(truth, predicted, labels=falcon.ids))
    present = np.unique(truth)
    expected = jaccard_score(truth, predicted, labels=present, average="macro", zero_division=0)
    assert evaluation.scores.miou == pytest.approx(expected, abs=1e-12)
    assert evaluation.scores.pixel_accuracy == pytest.approx(np.mean(truth == predicted), abs=1e-12)


def test_the_best_epoch_was_scored_the_same_way(evaluation, tiny_run: Path) -> None:
    history = json.loads((tiny_run / "history.json").read_text())
    best = max(history, key=lambda row: row["val_miou"])
    assert evaluation.scores.miou == pytest.approx(best["val_miou"], abs=1e-12)


def test_the_report_holds_the_numbers(evaluation, tiny_run: Path) -> None:
    assert evaluation.folder == tiny_run / "evaluation" / "desert-val"
    report = json.loads((evaluation.folder / "evaluation.json").read_text())
    assert report["miou"] == evaluation.scores.miou
    assert report["miou_all"] == evaluation.scores.miou_all
    assert "present in the truth" in report["definition"]
    assert list(report["per_class_iou"]) == list(load_labels("falcon").names)
    assert np.sum(report["confusion"]) == report["pixels"] == 5 * 48 * 80
    for name in ("confusion_matrix.png", "per_class_iou.png"):
        assert cv2.imread(str(evaluation.folder / name)).std() > 10
    assert len((evaluation.folder / "per_class.csv").read_text().splitlines()) == 11


def test_batch_size_does_not_change_the_count(evaluation, model: Segmenter, tiny_desert: Path) -> None:
    one = evaluate(model, tiny_desert, batch_size=1, boundaries=False, progress=False)
    assert one.folder is None
    difference = np.abs(one.scores.confusion - evaluation.scores.confusion).sum()
    assert difference <= 4  # float32 sums in another order may turn a pixel or two whose best classes are level


def test_another_data_set_does_not_bury_a_score(
    evaluation, model: Segmenter, tiny_desert: Path, tmp_path: Path
) -> None:
    other = tmp_path / "desert"
    other.symlink_to(tiny_desert)
    with pytest.raises(UserError, match=r"holds the evaluation of .*; choose another --out, or --overwrite"):
        evaluate(model, other, out=evaluation.folder, progress=False)
    check_other_data(evaluation.folder, str(tiny_desert), overwrite=False)
    check_other_data(evaluation.folder, str(other), overwrite=True)


def test_a_label_map_with_ignored_classes_leaves_their_pixels_out(tiny_desert: Path) -> None:
    seven = load_labels("falcon7")
    found = evaluate(small_model("falcon7"), tiny_desert, boundaries=False, progress=False)
    masks = [read_mask(f.mask, seven) for f in find_frames(tiny_desert, "val")]
    assert found.scores.confusion.sum() == sum(int((m != 255).sum()) for m in masks) < 5 * 48 * 80


def test_no_frames_have_no_score(tiny_run: Path) -> None:
    with pytest.raises(UserError, match="no frames to score"):
        evaluate(tiny_run / "best.keras", [], progress=False)


@pytest.mark.parametrize("content", [None, b"", b"no model", b"PK\x03\x04 half a zip"])
def test_a_file_that_is_no_model(content: bytes | None, tiny_desert: Path, tmp_path: Path) -> None:
    path = tmp_path / "best.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="does not exist" if content is None else "is not a .keras file, or is cut off"):
        evaluate(path, tiny_desert, progress=False)


def test_a_keras_model_that_is_no_segmenter(tiny_desert: Path, tmp_path: Path) -> None:
    keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "dense.keras")
    with pytest.raises(UserError, match="holds a Sequential, not a desertseg Segmenter"):
        evaluate(tmp_path / "dense.keras", tiny_desert, progress=False)


def test_the_details_are_of_the_same_pixels(evaluation, tiny_desert: Path) -> None:
    """Scenes, bands, frames and calibration each add up to the whole; the CSV has a row a frame."""
    details, total = evaluation.details, int(evaluation.scores.confusion.sum())
    assert sum(band["pixels"] for band in details["bands"]) == total
    assert sum(scene["pixels"] for scene in details["scenes"].values()) == total
    assert sum(scene["frames"] for scene in details["scenes"].values()) == 5
    assert sum(row["count"] for row in details["calibration"]["bins"]) == total
    right = sum(row["count"] * (row["accuracy"] or 0) for row in details["calibration"]["bins"])
    assert right / total == pytest.approx(evaluation.scores.pixel_accuracy)
    stored = np.load(evaluation.folder / "frames.npz")
    np.testing.assert_array_equal(stored["confusion"].sum(axis=0), evaluation.scores.confusion)
    for name, scene in details["scenes"].items():  # what is said of a scene is what its frames say
        own = Scores(stored["confusion"][stored["scenes"] == name].sum(axis=0), load_labels("falcon").names).to_dict()
        assert scene.items() >= {k: own[k] for k in ("dice", "frequency_weighted_iou", "per_class_recall")}.items()
    assert stored["names"].tolist() == [f.name for f in find_frames(tiny_desert, "val")]
    assert len((evaluation.folder / "frames.csv").read_text().splitlines()) == 6
    assert all((evaluation.folder / w["picture"]).is_file() for rows in details["worst"].values() for w in rows)
    assert {mean.key for mean in evaluation.means} >= {"miou", "miou_all", "miou_image", "miou_batch2", "map50"}
    assert "<html" in (evaluation.folder / "report.html").read_text()


def test_other_priors_are_scored_over_the_same_classes(model: Segmenter, tiny_desert: Path) -> None:
    found = evaluate(model, tiny_desert, suppress=["Sky"], priors="estimated", boundaries=False, progress=False)
    plain, suppressed, estimated = found.details["handling"]
    assert [plain["name"], suppressed["name"], estimated["name"]] == ["none", "suppressed", "estimated"]
    assert plain["miou"] == found.scores.miou
    assert plain["per_class_iou"]["Sky"] > 0.3
    assert suppressed["per_class_iou"]["Sky"] == 0
    assert suppressed["pixels"] == estimated["pixels"] == plain["pixels"]
    assert "->" in estimated["note"]


def test_scored_at_the_training_size_the_truth_is_reduced(tiny_desert: Path, tmp_path: Path) -> None:
    (tmp_path / "worst" / "Logs").mkdir(parents=True)
    before = tmp_path / "worst" / "Logs" / "before.jpg"
    before.touch()
    found = evaluate(small_model(), tiny_desert, at="input", out=tmp_path, progress=False)
    assert not before.exists()
    assert found.scores.pixels.sum() == 5 * 32 * 53  # 48x80 fitted into 32x64
    assert found.details["resolution"].startswith("input")
    worst = next(iter(found.details["worst"].values()))[0]
    assert cv2.imread(str(tmp_path / worst["picture"])) is not None


def test_what_cannot_be_scored_is_left_out_and_named(tiny_desert: Path, tmp_path: Path) -> None:
    data = tmp_path / "desert"
    shutil.copytree(tiny_desert / "val", data / "val")
    broken = sorted((data / "val" / "Color_Images").iterdir())[1]
    broken.write_bytes(broken.read_bytes()[:200])
    found = evaluate(small_model(), data, boundaries=False, progress=False)
    assert found.frames == 4
    ((path, reason),) = found.failures
    assert path == broken
    assert "cut off" in reason or "damaged" in reason
    assert found.scores.confusion.sum() == 4 * 48 * 80


def test_a_model_that_answers_nan_scores_nothing(tiny_desert: Path) -> None:
    model = small_model()
    variable = model.trainable_variables[-1]
    variable.assign(np.full(variable.shape, np.nan, "float32"))
    with pytest.raises(UserError, match=r"none of 5 frames could be scored; the first: .* is not a number"):
        evaluate(model, tiny_desert, progress=False)
