"""Overlay of a camera or a video by an exported model, with onnxruntime and OpenCV alone.

    pip install onnxruntime opencv-python-headless
    desertseg export --model desert-small --format onnx --out desert.onnx
    python onnx_camera.py desert.onnx drive.mp4 overlay.mp4        # a camera: 0 in place of drive.mp4, Ctrl-C ends

The file's metadata tells names and colours of the classes and what size the model was trained at.
"""

import json
import sys
import time

import cv2
import numpy as np
import onnxruntime


def main(model: str, source: str, out: str) -> None:
    session = onnxruntime.InferenceSession(model, providers=onnxruntime.get_available_providers())
    facts = json.loads(session.get_modelmeta().custom_metadata_map["desertseg"])
    colors = np.array([c["color"] for c in facts["labels"]["classes"]], np.uint8)[:, ::-1]  # OpenCV's order
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    ok, frame = capture.read()
    if not ok:
        sys.exit(f"{source} gives no frames; give a video, or a camera's number")
    height, width = frame.shape[:2]
    rate = capture.get(cv2.CAP_PROP_FPS) or 25
    writer = cv2.VideoWriter(out, cv2.VideoWriter_fourcc(*"mp4v"), rate, (width, height))
    frames, shares, started = 0, np.zeros(len(colors)), time.perf_counter()
    try:
        while ok:
            labels = label(session, facts, frame)
            writer.write(cv2.addWeighted(frame, 0.55, colors[labels], 0.45, 0))
            shares += np.bincount(labels.ravel(), minlength=len(colors)) / labels.size
            frames += 1
            ok, frame = capture.read()
    except KeyboardInterrupt:  # how a camera is stopped
        pass
    writer.release()
    print(f"{frames} frames, {frames / (time.perf_counter() - started):.1f} a second. Wrote {out}")
    for share, c in sorted(zip(shares / frames, facts["labels"]["classes"], strict=True), key=lambda pair: -pair[0]):
        print(f"{share:7.2%}  {c['name']}")


def label(session: onnxruntime.InferenceSession, facts: dict, frame: np.ndarray) -> np.ndarray:
    """Return the class of every pixel of a BGR frame, uint8 (H, W)."""
    native = frame.shape[:2]
    size = facts["input_size"] or facts["size"] or native
    images = cv2.cvtColor(cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)[None]
    images = np.repeat(images, facts["batch"] or 1, axis=0).astype(facts["input"])
    answer = session.run(None, {session.get_inputs()[0].name: images})[0][0]
    if facts["answer"] == "labels":
        return cv2.resize(answer, native[::-1], interpolation=cv2.INTER_NEAREST)
    return np.dstack([cv2.resize(c, native[::-1]) for c in np.moveaxis(answer, -1, 0)]).argmax(-1).astype(np.uint8)


if __name__ == "__main__":
    main(*sys.argv[1:])
