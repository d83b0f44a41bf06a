"""Imports go down only, and the heavy packages are imported where they are used."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASE = {
    *("backend", "colors", "damage", "errors", "files", "label_class", "label_mapping", "label_text"),
    *("labels", "machine", "mapping_draft", "memory", "terminal", "toml", "weighting"),
}
KERAS_ROOMS = {"models", "layers", "losses", "metrics", "augment"}
# room -> the rooms of desertseg that its modules may import; report/ reads what metrics/ counted, engine/ calls report/
ALLOWED = {
    **dict.fromkeys(BASE, BASE),
    "data": BASE | {"data"},
    **dict.fromkeys(KERAS_ROOMS, BASE | KERAS_ROOMS),
    "report": BASE | {"metrics", "report"},
    "runtimes": BASE | {"runtimes"},
    "engine": BASE | KERAS_ROOMS | {"data", "report", "runtimes", "engine"},
    "export": BASE | KERAS_ROOMS | {"data", "report", "runtimes", "engine", "export"},
    "ui": BASE | {"data", "report", "metrics", "models", "runtimes", "engine", "ui"},
    "cli": BASE | {"data", "report", "runtimes", "engine", "export", "ui", "cli"},
}
# Each is imported by one function, on its backend.
OF_A_BACKEND = {"program_jax": {"jax"}, "program_tensorflow": {"tensorflow"}}
HEAVY = {
    "keras",
    "tensorflow",
    "jax",
    "keras_hub",
    "torch",
    "onnx",
    "onnxruntime",
    "tf2onnx",
    "openvino",
    "ai_edge_litert",
}


def _modules() -> list[tuple[str, Path]]:
    files = [
        (p.relative_to(ROOT / "desertseg").parts[0].removesuffix(".py"), p) for p in (ROOT / "desertseg").rglob("*.py")
    ]
    files += [("cli", p) for p in (ROOT / "cli").rglob("*.py")]
    return [(room, path) for room, path in files if room not in ("__init__", "labelsets")]


def _imports(path: Path, top_level_only: bool) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module)
    return names


def test_every_room_is_known() -> None:
    assert {room for room, _ in _modules()} == set(ALLOWED)


@pytest.mark.parametrize(("room", "path"), _modules(), ids=lambda v: v.stem if isinstance(v, Path) else v)
def test_imports_go_down_only(room: str, path: Path) -> None:
    used = {name.split(".")[1] for name in _imports(path, top_level_only=False) if name.startswith("desertseg.")}
    assert used <= ALLOWED[room]


@pytest.mark.parametrize(("room", "path"), _modules(), ids=lambda v: v.stem if isinstance(v, Path) else v)
def test_heavy_packages_stay_in_their_rooms(room: str, path: Path) -> None:
    everywhere = {name.split(".")[0] for name in _imports(path, top_level_only=False)} & HEAVY
    at_the_top = {name.split(".")[0] for name in _imports(path, top_level_only=True)} & HEAVY
    of_a_backend = OF_A_BACKEND.get(path.stem, set())
    assert at_the_top <= ({"keras"} | of_a_backend if room in KERAS_ROOMS | {"engine", "export"} else set())
    lazily = {f"desertseg.engine.{name}" for name in OF_A_BACKEND}
    assert not _imports(path, top_level_only=True) & lazily
    if room in BASE | {"cli", "report", "runtimes", "ui"}:  # a runtime is asked for by its name
        assert not everywhere
    if room == "data":
        assert everywhere <= {"tensorflow"}
