from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from desertseg.engine import predict
from desertseg.errors import UserError
from desertseg.export import Export, ExportError, export_model
from desertseg.export import export as module
from desertseg.models import Segmenter
from desertseg.runtimes import Exported, load_exported

pytestmark = pytest.mark.xdist_group("export")  # one worker, so that TensorFlow writes the file once
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 70, 50, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def written(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """The tiny network as ONNX, of any size."""
    return export_model(model, tmp_path_factory.mktemp("out") / "tiny.onnx")


@pytest.fixture
def copied(written: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the float32 file be the one that is there already, in place of half a minute on TensorFlow."""
    monkeypatch.setattr(module, "write_program", lambda segmenter, plan, path: shutil.copy(written.path, path))


def test_onnx_of_any_size_answers_as_the_model(written: Export, segmenter: Segmenter) -> None:
    assert written.comparison.agreement >= 0.999
    assert written.comparison.max_difference < 1e-4
    assert len(written.comparison.sizes) == 3
    assert written.timing.exported > 0
    assert written.bytes == written.path.stat().st_size
    found = load_exported(written.path).run(IMAGES)
    np.testing.assert_allclose(found, np.asarray(segmenter(IMAGES)), rtol=0, atol=1e-4)


def test_the_file_tells_what_the_model_is_and_checks_itself(written: Export, segmenter: Segmenter) -> None:
    exported = load_exported(written.path)
    assert exported.labels == segmenter.labels
    assert (exported.recipe, exported.size) == ({"model": {"name": "tiny"}}, (64, 96))
    assert (exported.input_size, exported.batch, exported.answer, exported.dtype) == (None, None, "logits", "float32")
    result = exported.check()
    assert result.agreement >= 0.999
    assert result.max_difference < 1e-4


def test_nothing_but_the_file_is_left(written: Export) -> None:
    assert [path.name for path in written.path.parent.iterdir()] == ["tiny.onnx"]


def test_the_graph_has_one_operation_for_each_convolution(written: Export) -> None:
    import onnx

    graph = onnx.load(written.path).graph
    kinds = [node.op_type for node in graph.node]
    assert not {"SpaceToDepth", "DepthToSpace", "If", "Loop"} & set(kinds)
    assert kinds.count("Transpose") <= 3
    axes = [
        [axis.dim_param or axis.dim_value for axis in v.type.tensor_type.shape.dim]
        for v in (*graph.input, *graph.output)
    ]
    assert axes == [["batch", "height", "width", 3], ["batch", "height", "width", 10]]
    assert [v.name for v in (*graph.input, *graph.output)] == ["images", "logits"]


def test_fixed_labels_of_image_and_mirror(model: Path, segmenter: Segmenter, tmp_path: Path) -> None:
    out = tmp_path / "labels.onnx"
    done = export_model(model, out, size=(64, 96), batch=2, answer="labels", flip=True, input="float32")
    assert done.comparison.max_difference is None
    exported = load_exported(out)
    images = IMAGES[:1, :64].repeat(2, axis=2)[:, :, :96]
    logits = np.stack([np.asarray(segmenter(images)), np.asarray(segmenter(images[:, :, ::-1]))[:, :, ::-1]])
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    mean = (exponentials / exponentials.sum(-1, keepdims=True)).mean(0)
    found = exported.run(images.repeat(3, 0))
    assert found.shape == (3, 64, 96)
    assert found.dtype == np.uint8
    assert (found == mean.argmax(-1)).mean() >= 0.999
    assert (exported.flip, exported.input, exported.batch) == (True, "float32", 2)
    assert exported.check().agreement >= 0.999


def test_predict_takes_the_file_as_it_takes_the_model(written: Export, model: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "frame.png"), IMAGES[0])
    masks = [
        cv2.imread(
            str(predict(m, [tmp_path / "frame.png"], tmp_path / name, progress=False).masks[0]), cv2.IMREAD_UNCHANGED
        )
        for name, m in (("keras", model), ("onnx", written.path))
    ]
    assert masks[0].dtype == np.uint16
    assert (masks[0] == masks[1]).mean() >= 0.999


def test_the_example_labels_a_video_without_desertseg(written: Export, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "onnx_camera.py"
    assert len(example.read_text().splitlines()) <= 60
    writer = cv2.VideoWriter(str(tmp_path / "drive.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 5, (96, 64))
    for _ in range(3):
        writer.write(IMAGES[0, :64].repeat(2, axis=1)[:, :96])
    writer.release()
    program = (
        f"import sys, runpy; sys.modules['desertseg'] = None; runpy.run_path({str(example)!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", program, str(written.path), str(tmp_path / "drive.mp4"), str(tmp_path / "out.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 frames" in done.stdout
    assert sum(float(line.split("%")[0]) for line in done.stdout.splitlines()[1:]) == pytest.approx(100, abs=0.1)
    film = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert [film.get(cv2.CAP_PROP_FRAME_COUNT), film.read()[1].shape] == [3, (64, 96, 3)]


@pytest.mark.usefixtures("copied")
def test_a_file_that_answers_otherwise_is_not_kept(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., np.ndarray] = Exported.run

    def run(self: Exported, images: np.ndarray) -> np.ndarray:
        logits = original(self, images)
        logits[:, :3] = np.roll(logits[:, :3], 1, axis=-1)
        return logits

    monkeypatch.setattr(Exported, "run", run)
    with pytest.raises(ExportError, match=r"gives 9\d\.\d+% of the pixels the model's class.*nothing was written"):
        export_model(model, tmp_path / "x.onnx", size=(64, 96), batch=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("copied")
def test_int8_is_calibrated_on_frames_and_told_not_held(model: Path, tmp_path: Path, tiny_desert: Path) -> None:
    done = export_model(model, tmp_path / "q.onnx", size=(64, 96), dtype="int8", calibrate=tiny_desert)
    assert 0.5 < done.comparison.agreement <= 1
    import onnx

    kinds = [node.op_type for node in onnx.load(done.path).graph.node]
    assert kinds.count("QuantizeLinear") > 5
    assert load_exported(done.path).dtype == "int8"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "onx"}, r"no format 'onx' \(did you mean 'onnx'\?\)"),
        ({"dtype": "int8"}, "int8 needs frames to calibrate on"),
        ({"calibrate": "."}, "calibration is for int8"),
        ({"dtype": "int8", "calibrate": "no-such-folder"}, "--calibrate no-such-folder is no folder"),
        ({"dtype": "int4"}, "dtype 'int4' is none to export"),
        ({"answer": "masks"}, "answer 'masks' is none to export"),
        ({"input": "int8"}, "input 'int8' is none to export"),
        ({"size": "big"}, "size 'big' is none"),
        ({"size": (0, 3)}, "size 0x3 has no pixels"),
        ({"batch": 0}, "batch 0 is none"),
        ({"format": "savedmodel"}, "is the name of a file, and a SavedModel is a folder"),
        ({"format": "stablehlo"}, r"ends with \.stablehlo; give x\.stablehlo"),
    ],
)
def test_what_cannot_be_is_one_line(options: dict, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        export_model("desert-small", tmp_path / "x.onnx", **options)
    assert not list(tmp_path.iterdir())


def test_int8_is_for_onnx(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="int8 is made for onnx alone, not for stablehlo"):
        export_model("desert-small", tmp_path / "x.stablehlo", "stablehlo", dtype="int8", calibrate=tmp_path)


def test_a_package_that_is_missing_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UserError, match=r"by tf2onnx, .*; pip install 'desertseg\[onnx\]'"):
        export_model("desert-small", tmp_path / "x.onnx")


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        export_model(tmp_path / "none.keras", tmp_path / "x.onnx")
