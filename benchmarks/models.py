"""What does each network cost, beside PyTorch's same network? Parameters, operations, images a second, peak memory.

    python benchmarks/models.py
    python benchmarks/models.py --only segformer --mode both --size 512x896 --dtype bfloat16 --device gpu --markdown

The peers: segmentation_models.pytorch changed to our decoder (DeepLabV3+), torchvision (DeepLabV3 at output stride 8,
LR-ASPP), transformers (SegFormer; UPerNet on timm's ResNet-50) and timm (DINOv2 under a 1x1 convolution), all from
random weights and to logits at the picture's size, convolutional ones in channels_last; on a GPU compiled and in
bfloat16 by autocast. Trained parameters and operations (of one forward pass) are counted by each row's own framework,
so that equal numbers show equal networks; SegFormer's decoder does with fewer operations, see `LinearFusion`. DINOv2
runs at the next size that 14 divides, in every row.

Each row is a process of its own; the rows of a network take turns, a time is the median of all steps. "peak" is what
the process holds at most during a step above what it held after its imports: weights, compiled program, activations,
and when training gradients and the optimiser's moments (which --mode both counts for inference too). Linux counts it
(VmHWM, reset before the step, after the allocator has given back what compiling left). "whole" is the same with
building and compiling (getrusage). On a GPU "peak" is what the framework allocated there. Training is AdamW on all
weights; a frozen backbone is frozen.py's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from children import Child, add_options, describe_machine, measure_in_turns, serve
from steps import device_peak, import_keras, prepare_keras, prepare_torch
from torch_networks import (
    build_deeplab,
    build_deeplab_v3,
    build_dinov2,
    build_lraspp,
    build_segformer,
    build_upernet,
    count_torch_flops,
    import_modules,
)

HEADER = ["network", "row", "mode", "M params", "GFLOPs", "images/s", "ms", "/ PyTorch", "peak MiB", "whole MiB"]
WIDTHS = (25, 10, 5, 9, 8, 9, 9, 9, 9, 9)
BACKENDS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}


@dataclass(frozen=True)
class Network:
    """Ours by `build_segmenter`'s arguments, and PyTorch's.

    Attributes:
        ours: arguments of `build_segmenter`.
        peer: returns PyTorch's network.
        modules: what the peer imports.
        multiple: number that divides the pictures' sides.
        channels_last: whether the peer is run so.
    """

    ours: dict[str, Any]
    peer: Callable[[], Any]
    modules: tuple[str, ...]
    multiple: int = 1
    channels_last: bool = True


_SEGFORMER = ("transformers.models.segformer.modeling_segformer",)
_UPERNET = ("timm", "transformers.models.upernet.modeling_upernet")

NETWORKS: dict[str, Network] = {
    **{
        f"deeplabv3plus_{b}": Network(
            {"model": "deeplabv3plus", "backbone": b}, partial(build_deeplab, b), ("segmentation_models_pytorch",)
        )
        for b in ("resnet18", "resnet50", "resnet101")
    },
    "deeplabv3_resnet50": Network(
        {"model": "deeplabv3_resnet50", "output_stride": 8, "atrous_rates": (12, 24, 36), "dropout": 0.5},
        partial(build_deeplab_v3, "resnet50"),
        ("torchvision",),
    ),
    **{
        f"segformer_b{i}": Network(
            {"model": f"segformer_b{i}"}, partial(build_segformer, i), _SEGFORMER, channels_last=False
        )
        for i in (0, 2, 5)
    },
    "lraspp_mobilenetv3_large": Network({"model": "lraspp_mobilenetv3_large"}, build_lraspp, ("torchvision",)),
    **{
        f"linear_dinov2_vit{short}14": Network(
            {"model": "linear", "backbone": f"dinov2_vit{short}14"},
            partial(build_dinov2, f"vit_{long}_patch14_dinov2", "linear"),
            ("timm",),
            multiple=14,
            channels_last=False,
        )
        for short, long in (("s", "small"), ("b", "base"))
    },
    "upernet_resnet50": Network({"model": "upernet", "backbone": "resnet50"}, build_upernet, _UPERNET),
}


def main() -> None:
    arguments = parse_arguments()
    if arguments.child:
        return run_child(arguments)
    print(describe_machine(arguments), flush=True)
    modes = ("train", "infer") if arguments.mode == "both" else (arguments.mode,)
    print(align(HEADER), flush=True)
    rows: list[list[str]] = []
    for name in NETWORKS:
        if arguments.only is None or arguments.only in name:
            children = {b: Child(f"{name}/{b}", b, arguments) for b in BACKENDS if b in arguments.backends}
            measure_in_turns(children.values(), modes, arguments.rounds)
            for child in children.values():
                child.stop()
            found = describe(name, children, modes, arguments.batch)
            rows += found
            print("\n".join(align(row) for row in found), flush=True)
    if arguments.markdown:
        print("\n" + "\n".join(f"| {' | '.join(row)} |" for row in [HEADER, ["---"] * len(HEADER), *rows]))
    return None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="networks whose name holds this text")
    parser.add_argument("--mode", choices=("infer", "train", "both"), default="infer")
    parser.add_argument("--backends", nargs="+", choices=list(BACKENDS), default=list(BACKENDS))
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/results.md too")
    add_options(parser, size="256x448", batch=1, steps=5, rounds=5)
    return parser.parse_args()


def run_child(arguments: argparse.Namespace) -> None:
    """Build, compile and time one row."""
    name, backend = arguments.child.split("/")
    network = NETWORKS[name]
    size = tuple(-(-int(side) // network.multiple) * network.multiple for side in arguments.size.split("x"))
    arguments.size = "{}x{}".format(*size)
    modes = ("train", "infer") if arguments.mode == "both" else (arguments.mode,)
    peak = partial(device_peak, backend) if arguments.device == "gpu" else None
    if backend == "torch":
        serve(
            lambda: prepare_peer(network, size, modes, arguments),
            lambda: import_modules(*network.modules),
            arguments,
            peak,
        )
    else:
        serve(lambda: prepare_ours(network, size, modes, arguments), lambda: import_keras(backend), arguments, peak)


def prepare_ours(
    network: Network, size: tuple[int, int], modes: tuple[str, ...], arguments: argparse.Namespace
) -> tuple[dict[str, Callable], dict]:
    import keras

    from desertseg.models import build_segmenter
    from desertseg.models.flops import count_flops

    flops = 0

    def build() -> Any:
        nonlocal flops
        model = build_segmenter(**network.ours, open_blocks="all")
        if keras.backend.backend() == "jax":
            flops = count_flops(model.network, size)
        return model

    run, info = prepare_keras(build, arguments, modes)
    return run, info | ({"flops": flops} if flops else {})


def prepare_peer(
    network: Network, size: tuple[int, int], modes: tuple[str, ...], arguments: argparse.Namespace
) -> tuple[dict[str, Callable], dict]:
    flops = 0

    def build() -> Any:
        nonlocal flops
        model = network.peer()
        flops = count_torch_flops(model, size)
        return model

    run, info = prepare_torch(build, arguments, modes, channels_last=network.channels_last)
    return run, info | {"flops": flops}


def describe(name: str, children: dict[str, Child], modes: tuple[str, ...], batch: int) -> list[list[str]]:
    """Return the table's rows of one network."""
    rows = []
    for mode in modes:
        peer = children["torch"].median(mode) if "torch" in children else None
        for backend, child in children.items():
            info, median = child.info, child.median(mode)
            row = [
                name,
                BACKENDS[backend],
                mode,
                scaled(info.get("parameters"), 1e6, 2),
                scaled(info.get("flops"), 1e9, 2),
            ]
            if median is None:
                rows.append([*row, info.get("error", "not measured"), "", "", "", ""])
                continue
            peak = info.get(f"{mode}_peak") or info.get(f"{mode}_needs")
            speed = f"{peer / median:.2f}" if peer else "-"
            row += [f"{batch / median:.2f}", f"{median * 1e3:.1f}", speed]
            rows.append([*row, scaled(peak, 2**20, 0), scaled(info.get("whole_peak"), 2**20, 0)])
    return rows


def scaled(value: float | None, unit: float, digits: int) -> str:
    return "-" if value is None else f"{value / unit:.{digits}f}"


def align(row: list[str]) -> str:
    """Return a line of the printed table: words to the left, numbers to the right."""
    cells = [f"{cell:{'<' if i < 3 else '>'}{width}}" for i, (cell, width) in enumerate(zip(row, WIDTHS, strict=True))]
    return " ".join(cells).rstrip()


if __name__ == "__main__":
    main()
