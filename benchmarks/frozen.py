"""What does freezing a backbone save, in time and in memory, on both backends and in PyTorch?

    python benchmarks/frozen.py
    python benchmarks/frozen.py --only convnext --size 266x476 --batch 4

A training step (cross-entropy, AdamW) with all of the backbone open, its last three blocks, none of it, and the bare
forward pass. PyTorch does the same with `requires_grad_(False)` and `eval()` on what is closed, and `no_grad` around
the backbone when all of it is. A row is a process of its own; the rows of one network and framework take turns.

Memory is what a step needs at most beyond weights and moments: on JAX the temporary memory that XLA says the compiled
program takes, on TensorFlow what its allocator counts, on PyTorch how much the process grows. On a GPU TensorFlow's
and PyTorch's figures are all that was allocated.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from children import Child, add_options, describe_machine, give_back, measure_in_turns, peak_of, resident, serve
from steps import device_peak, import_keras, prepare_keras, prepare_torch
from torch_networks import build_deeplab, build_dinov2, freeze, import_modules

BACKENDS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
NETWORKS = {
    "linear_dinov2_vits14": ("linear", "dinov2_vits14"),
    "convnext_head_dinov2_vits14": ("convnext_head", "dinov2_vits14"),
    "deeplabv3plus_resnet50": ("deeplabv3plus", "resnet50"),
}
ROWS = {"all": None, "3 blocks": 3, "frozen": 0, "forward": None}
FORMAT = "{:28} {:10} {:9} {:>9} {:>6} {:>9} {:>11} {:>6} {:>9}"


def main() -> None:
    arguments = parse_arguments()
    if arguments.child:
        return run_child(arguments)
    print(describe_machine(arguments))
    titles = ("ms", "/ all", "/ forward", "memory MiB", "/ all", "/ forward")
    print(FORMAT.format("network", "row", "open", *titles), flush=True)
    for name in NETWORKS:
        if arguments.only is None or arguments.only in name:
            for backend in arguments.backends:
                print("\n".join(measure(name, backend, arguments)), flush=True)
    return None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="networks whose name holds this text")
    parser.add_argument("--backends", nargs="+", choices=list(BACKENDS), default=list(BACKENDS))
    add_options(parser, size="252x448", batch=2, steps=3, rounds=5)
    return parser.parse_args()


def measure(name: str, backend: str, arguments: argparse.Namespace) -> list[str]:
    """Return the lines of one network on one framework."""
    children = {row: Child(f"{name}/{backend}/{row}", backend, arguments) for row in ROWS}
    measure_in_turns(children.values(), ["step"], arguments.rounds)
    for child in children.values():
        child.stop()
    memory = {row: child.info.get("temporary") or child.info.get("step_peak") for row, child in children.items()}
    times = {row: child.median("step") for row, child in children.items()}
    return [
        FORMAT.format(
            name,
            BACKENDS[backend],
            row,
            *cells(times, row, 1e3),
            *cells(memory, row, 2**-20),
        )
        if times[row] is not None
        else f"{name:28} {BACKENDS[backend]:10} {row:9} {child.info.get('error', 'not measured')}"
        for row, child in children.items()
    ]


def cells(values: dict[str, Any], row: str, scale: float) -> tuple[str, str, str]:
    """Return a row's value, and its ratios to the step that trains all and to the forward pass."""
    value = values[row]
    text = "-" if value is None else f"{value * scale:.1f}"
    return text, ratio(value, values["all"]), ratio(value, values["forward"])


def ratio(value: float | None, whole: float | None) -> str:
    return f"{value / whole:.2f}" if value is not None and whole else "-"


def run_child(arguments: argparse.Namespace) -> None:
    """Build, compile and time one row."""
    name, backend, row = arguments.child.split("/")
    imports = partial(import_keras, backend)
    if backend == "torch":
        imports = partial(import_modules, "segmentation_models_pytorch", "timm")
    peak = partial(device_peak, backend, device=arguments.device.upper())
    if arguments.device == "cpu" and backend == "torch":
        peak = growth_of
    serve(lambda: prepare(name, backend, row, arguments), imports, arguments, peak)


def prepare(
    name: str, backend: str, row: str, arguments: argparse.Namespace
) -> tuple[dict[str, Callable[[], object]], dict[str, Any]]:
    """Return the row's step, as "step", and XLA's temporary memory where it is known."""
    mode = "infer" if row == "forward" else "train"
    if backend == "torch":
        channels_last = "dinov2" not in name
        run, info = prepare_torch(lambda: build_peer(name, ROWS[row]), arguments, [mode], channels_last=channels_last)
    else:
        run, info = prepare_keras(lambda: build_ours(name, ROWS[row]), arguments, [mode])
    return {"step": run[mode]}, {"temporary": info.get(f"{mode}_temporary")}


def build_ours(name: str, open_blocks: int | None) -> Any:
    from desertseg.models import build_segmenter

    model, backbone = NETWORKS[name]
    return build_segmenter(model, backbone, open_blocks="all" if open_blocks is None else open_blocks)


def build_peer(name: str, open_blocks: int | None) -> Any:
    """Return PyTorch's network, closed as ours is."""
    if name == "deeplabv3plus_resnet50":
        model = build_deeplab("resnet50")
        encoder, opened = model.encoder, model.encoder.layer4
        closed = [encoder.conv1, encoder.bn1, encoder.layer1, encoder.layer2, encoder.layer3]
        assert len(opened) == 3
    else:
        model = build_dinov2("vit_small_patch14_dinov2", name.split("_")[0])
        encoder = model.backbone
        encoder.cls_token.requires_grad_(open_blocks is None)
        encoder.pos_embed.requires_grad_(open_blocks is None)
        closed = [encoder.patch_embed, *encoder.blocks[:-3]]
    if open_blocks == 0:
        freeze(encoder, stateless=True)
    elif open_blocks is not None:
        freeze(*closed)
    return model


def growth_of(step: Callable[[], object]) -> int | None:
    """Return the bytes that this process grows by during a step at most."""
    give_back()
    return peak_of(step, resident())


if __name__ == "__main__":
    main()
