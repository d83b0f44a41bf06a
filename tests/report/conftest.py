"""An evaluation folder and a run folder as `evaluate` and `fit` write them, made from random counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tomli_w

from desertseg.labels import LabelClass, LabelMap
from desertseg.metrics import Scores

HOSTILE = 'Rocks <img src=x onerror="document.title=1"> & co'
NAMES = ("Dry | Grass_*x*", HOSTILE, "Logs", "Sky", "Flowers")  # no flower is in the truth
FRAMES, SIZE = 6, (24, 40)


def label_map() -> LabelMap:
    colors = ((210, 180, 100), (128, 128, 128), (90, 40, 10), (135, 206, 235), (255, 64, 160))
    costs = (20, 100, 100, None, 30)
    classes = [LabelClass(n, (100 * (i + 1),), colors[i], costs[i]) for i, n in enumerate(NAMES)]
    return LabelMap("hostile", tuple(classes))


def draw_confusions() -> np.ndarray:
    """int64 (6, 5, 5): frames with a strong diagonal; the last class is predicted, and never true."""
    random = np.random.default_rng(7)
    found = random.integers(0, 40, (FRAMES, 5, 5)) + 300 * np.eye(5, dtype=np.int64)
    found[:, 2, 2] = 1
    found[:, 4] = 0
    return found.astype(np.int64)


def brief(scores: Scores) -> dict[str, Any]:
    keys = ("miou", "pixel_accuracy", "per_class_iou")
    return {"pixels": int(scores.confusion.sum())} | {k: scores.to_dict()[k] for k in keys}


def describe(confusions: np.ndarray) -> dict[str, Any]:
    """Return the content of evaluation.json with every key that it can have."""
    scores = Scores(confusions.sum(0), NAMES)
    values = scores.to_dict()
    iou = values["per_class_iou"]
    spread = {"mean": 0.31, "per_class": dict(iou)}
    edges = np.linspace(0, 1, 16)
    bins = [
        {"low": low, "high": high, "count": 0 if low < 0.3 else 100, "confidence": low + 0.03, "accuracy": low}
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    mean = {"by_frame": [0.41, 0.52], "by_scene": [0.33, 0.61]}
    of_class = {"by_frame": [0.2, 0.4], "by_scene": None}
    return {
        **values,
        "pixels": int(scores.confusion.sum()),
        "means": [
            {"key": "miou", "name": "mIoU", "value": scores.miou, "definition": scores.definition, **mean},
            {"key": "miou_batch2", "name": "batches of 2", "value": 0.4, "definition": "only to compare"},
        ],
        "class_intervals": dict.fromkeys(NAMES, of_class),
        "scenes": {s: {"frames": 3, **brief(Scores(confusions[i::2].sum(0), NAMES))} for i, s in enumerate("ab")},
        "bands": [{"name": n, **brief(scores)} for n in ("top third", "middle third", "bottom third")],
        "boundary": {
            "definition": "boundary IoU: how well outlines fit",
            "tolerances": [2, 5],
            "iou": {"2": spread, "5": spread},
            "f": {"2": spread, "5": spread},
        },
        "calibration": {
            "definition": "pixel ECE over 15 equal bins",
            "bins": bins,
            "ece": 0.0312,
            "temperature": 1.4,
            "ece_scaled": 0.011,
            "nll": 0.9,
            "nll_scaled": 0.8,
            "sampled_pixels": 5000,
        },
        "safety": {
            "definition": "false-safe rate: obstacles called drivable",
            "false_safe_rate": 0.1234,
            "false_safe_pixels": 321,
            "obstacle_pixels": 2601,
            "false_alarm_rate": 0.02,
            "per_class": {NAMES[1]: 0.1, NAMES[2]: 0.8},
            "obstacles": [NAMES[1], NAMES[2]],
            "drivable": [NAMES[0], NAMES[4]],
        },
        "handling": [
            {"name": "none", "note": "as the model answers", **brief(scores)},
            {"name": "suppressed", "note": "never Flowers", **brief(scores)},
        ],
        "confused_pairs": [{"truth": NAMES[2], "predicted": NAMES[0], "pixels": 77, "share_of_truth": 0.25}],
        "worst": {
            NAMES[2]: [
                {
                    "frame": f"a{i}",
                    "scene": "a",
                    "iou": 0.1 * i,
                    "wrong": 9,
                    "pixels": 1,
                    "picture": f"worst/Logs/a{i}.jpg",
                }
                for i in range(6)
            ]
        },
        "label_map": label_map().to_dict(),
        "labels": "hostile",
        "resolution": "native",
        "at": "native",
        "frames": FRAMES,
        "size": [24, 40],
        "model": "runs/a/best.keras",
        "data": "some/desert",
        "split": "val",
        "backend": "jax",
        "device": "cpu",
        "views": {"scales": [1.0], "flip": True},
        "command": "desertseg evaluate --data 'some desert'",
        "date": "2026-01-02T03:04:05+00:00",
        "environment": {"python": "3.11", "packages": {"keras": "3.15"}},
        "images_per_second": 12.5,
        "seconds": 3.25,
        "failures": [["bad <b>.png", "cut off"]],
    }


def write_evaluation(folder: Path) -> Path:
    """Write an evaluation folder as `evaluate` does, but for the pictures that a report can draw itself."""
    confusions = draw_confusions()
    (folder / "worst" / "Logs").mkdir(parents=True)
    (folder / "evaluation.json").write_text(json.dumps(describe(confusions)))
    names, scenes = np.array([f"{'ab'[i % 2]}{i}" for i in range(FRAMES)]), np.array(list("ababab"))
    unanswered = np.zeros((FRAMES, 5), np.int32)
    unanswered[0, 3] = 11
    np.savez(folder / "frames.npz", names=names, scenes=scenes, confusion=confusions, unanswered=unanswered)
    picture = np.random.default_rng(0).integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    for i in range(6):
        cv2.imwrite(str(folder / "worst" / "Logs" / f"a{i}.jpg"), picture)
    return folder


def write_run(folder: Path) -> Path:
    """Write what a run of three epochs leaves, with one evaluation."""
    folder.mkdir(parents=True)
    rows = [
        {
            "epoch": e,
            "loss": 2 / e,
            "miou": 0.1 * e,
            "val_loss": 2 / e,
            "val_miou": 0.2 - 0.01 * (e - 2) ** 2,
            "monitor": 0.2 - 0.01 * (e - 2) ** 2,
            "weights": "raw",
            "learning_rate": 1e-3 / e,
            "seconds": 60.0,
            "images_per_second": 7.0,
            "data_wait": 0.01,
            "val_iou": dict.fromkeys(NAMES, 0.1 * e),
        }
        for e in (1, 2, 3)
    ]
    recipe = {"about": {"description": "of a test"}, "model": {"name": "deeplabv3plus", "backbone": "resnet18"}}
    (folder / "history.json").write_text(json.dumps(rows))
    (folder / "recipe.toml").write_text(tomli_w.dumps({**recipe, "train": {"monitor": "miou", "epochs": 3}}))
    (folder / "labels.toml").write_text(tomli_w.dumps(label_map().to_dict()))
    (folder / "data.json").write_text(json.dumps({"frames": {"train": {"a0": [1, 1]}, "val": {"b1": [1, 1]}}}))
    environment = {
        "started": "2026-01-02T03:04:05+00:00",
        "data": "some/desert",
        "command": ["desertseg", "fit", "a b"],
    }
    (folder / "environment.json").write_text(json.dumps(environment))
    write_evaluation(folder / "evaluation" / "desert-val")
    return folder


@pytest.fixture
def evaluation_folder(tmp_path: Path) -> Path:
    return write_evaluation(tmp_path / "scores")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with its report written; shared, so leave it as it is."""
    from desertseg.engine.report import write_report

    folder = write_run(tmp_path_factory.mktemp("runs") / "a")
    write_report(folder)
    return folder
