"""Names of published weights -> their files: a mirror folder, the cache, or a download."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from desertseg.errors import suggest
from desertseg.files import cache_folder, replacing
from desertseg.models.errors import ModelError
from desertseg.terminal import progress_line

MIRROR = "DESERTSEG_WEIGHTS"  # the environment variable with a folder of files that were fetched elsewhere
_TIMEOUT = 30  # seconds without an answer
_CHUNK = 1 << 20

_TORCHVISION = "torchvision (BSD-3-Clause); trained on ImageNet, whose images are for non-commercial research"
_COCO = "torchvision (BSD-3-Clause); trained on COCO, whose images have terms of their own, from ImageNet weights"
_DINOV2 = "Apache-2.0"
_SEGFORMER = "NVIDIA Source Code License for SegFormer: non-commercial use alone (research, evaluation)"


@dataclass(frozen=True)
class Preset:
    """Published weights.

    Attributes:
        name: what the user writes.
        backbone: the zoo's backbone.
        model: the zoo's architecture where the head is among the weights; None for a backbone alone.
        file: what the file is called in a mirror folder and in the cache; no two presets share one.
        url: where it is published.
        sha256: the first hexadecimal digits of its hash where the publisher states them, else None.
        licence: of the weights.
        note: what they were trained on.
    """

    name: str
    backbone: str
    model: str | None
    file: str
    url: str
    sha256: str | None
    licence: str
    note: str

    @property
    def places(self) -> tuple[str, ...]:
        """Where a mirror folder may have it: under its name, or laid out as the publisher does."""
        path = urlsplit(self.url).path.strip("/")
        if "/resolve/main/" not in path:
            return (self.file, path)
        repository, name = path.split("/resolve/main/")
        folders = (repository, repository.split("/")[1])
        return (self.file, path, *(f"{folder}/{f}" for folder in folders for f in ("model.safetensors", name)))


def _torchvision(
    name: str, backbone: str, stem: str, sha256: str, note: str, model: str | None = None, licence: str = _TORCHVISION
) -> Preset:
    file = f"{stem}-{sha256}.pth"
    return Preset(name, backbone, model, file, f"https://download.pytorch.org/models/{file}", sha256, licence, note)


def _dinov2(size: str, registers: bool) -> Preset:
    file = f"dinov2_vit{size}14{'_reg4' * registers}_pretrain.pth"
    return Preset(
        name="dinov2",
        backbone=f"dinov2_vit{size}14{'_reg' * registers}",
        model=None,
        file=file,
        url=f"https://dl.fbaipublicfiles.com/dinov2/dinov2_vit{size}14/{file}",
        sha256=None,
        licence=_DINOV2,
        note="self-supervised on LVD-142M",
    )


def _segformer(name: str, index: int, model: str | None, repository: str, note: str) -> Preset:
    url = f"https://huggingface.co/nvidia/{repository}/resolve/main/pytorch_model.bin"
    return Preset(name, f"mit_b{index}", model, f"{repository}.bin", url, None, _SEGFORMER, note)


_V1 = {
    "resnet18": ("resnet18", "f37072fd"),
    "resnet34": ("resnet34", "b627a593"),
    "resnet50": ("resnet50", "0676ba61"),
    "resnet101": ("resnet101", "63fe2227"),
    "resnet152": ("resnet152", "394f9c45"),
    "mobilenetv3_large": ("mobilenet_v3_large", "8738ca79"),
}
_V2 = {
    "resnet50": ("resnet50", "11ad3fa6"),
    "resnet101": ("resnet101", "cd907fc2"),
    "resnet152": ("resnet152", "f82ba261"),
    "mobilenetv3_large": ("mobilenet_v3_large", "5c1a4163"),
}
_VOC = "COCO 2017, Pascal VOC's 20 classes and background"
PRESETS: tuple[Preset, ...] = (
    *(_torchvision("imagenet_v1", b, *f, "ImageNet-1k, torchvision's first recipe") for b, f in _V1.items()),
    *(_torchvision("imagenet_v2", b, *f, "ImageNet-1k, torchvision's second recipe") for b, f in _V2.items()),
    _torchvision("coco", "resnet50", "deeplabv3_resnet50_coco", "cd0a2569", _VOC, "deeplabv3", _COCO),
    _torchvision("coco", "resnet101", "deeplabv3_resnet101_coco", "586e9e4e", _VOC, "deeplabv3", _COCO),
    _torchvision("coco", "mobilenetv3_large", "lraspp_mobilenet_v3_large", "d234d4ea", _VOC, "lraspp", _COCO),
    *(_dinov2(size, registers) for size in "sblg" for registers in (False, True)),
    *(_segformer("imagenet", i, None, f"mit-b{i}", "ImageNet-1k") for i in range(6)),
    *(
        _segformer("ade20k", i, "segformer", f"segformer-b{i}-finetuned-ade-{n}-{n}", f"ADE20K, 150 classes, {n}x{n}")
        for i, n in enumerate((512, 512, 512, 512, 512, 640))
    ),
)


def presets_for(model: str | None, backbone: str) -> dict[str, Preset]:
    """Return name -> preset of what fits a network: "imagenet" is the newest of its versions.

    Args:
        model: the zoo's architecture, or None for a backbone by itself.
        backbone: the zoo's backbone.
    """
    fitting = {p.name: p for p in PRESETS if p.backbone == backbone and p.model in (None, model)}
    newest = fitting.get("imagenet") or fitting.get("imagenet_v2") or fitting.get("imagenet_v1")
    return fitting | ({"imagenet": newest} if newest else {})


def find_preset(name: str, *, model: str | None, backbone: str) -> Preset:
    """Return the published weights of that name for a network.

    Args:
        name: "imagenet", "imagenet_v1", "imagenet_v2", "dinov2", "coco" or "ade20k".
        model: the zoo's architecture, or None for a backbone by itself.
        backbone: the zoo's backbone.

    Raises:
        ModelError: no such name, or none for this network; the message has those that there are.
    """
    fitting = presets_for(model, backbone)
    if name in fitting:
        return fitting[name]
    network = f"{model} on {backbone}" if model else backbone
    here = f"for {network} there are {', '.join(fitting)}" if fitting else f"none are published for {network}"
    others = [f"{p.model} on {p.backbone}" if p.model else p.backbone for p in PRESETS if p.name == name]
    if others:
        raise ModelError(f"weights '{name}' are of {', '.join(others)}, not of {network}; {here}")
    raise ModelError(f"no weights '{name}'{suggest(name, fitting)}; {here}; or give a file")


def fetch(preset: Preset, *, progress: bool = True) -> Path:
    """Return the path of a preset's file: from the mirror folder, from the cache, or downloaded into the cache.

    Args:
        preset: from `find_preset`.
        progress: whether a download is shown on the terminal.

    Raises:
        ModelError: it cannot be downloaded, or is not what the publisher's hash says. The message names the file, its
            address, and the folders where it can be put.
    """
    mirror = os.environ.get(MIRROR)
    for place in preset.places if mirror else ():
        path = Path(str(mirror)).expanduser() / place
        if path.is_file():
            _check_hash(preset, path, _hash(path), f"replace it by the one at {preset.url}")
            return path
    cached = cache_folder() / "weights" / preset.file
    if not cached.is_file():
        _download(preset, cached, progress)
    return cached


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_hash(preset: Preset, path: Path | str, found: str, advice: str) -> None:
    if preset.sha256 and not found.startswith(preset.sha256):
        raise ModelError(
            f"weights {path} are damaged or another file: their SHA-256 begins with {found[:8]}, the publisher's with "
            f"{preset.sha256}; {advice}"
        )


def _download(preset: Preset, path: Path, progress: bool) -> None:
    request = urllib.request.Request(preset.url, headers={"User-Agent": "desertseg"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer, replacing(path) as temporary:
            total, digest, done = int(answer.headers.get("Content-Length") or 0), hashlib.sha256(), 0
            with open(temporary, "wb") as file, progress_line(preset.file, total >> 20, "MB", progress) as line:
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    line.advance(((done + len(chunk)) >> 20) - (done >> 20))
                    done += len(chunk)
            if total and done != total:
                raise ConnectionError(f"it ended after {done:,} of {total:,} bytes")
            _check_hash(preset, preset.url, digest.hexdigest(), "nothing was kept; try again")
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise ModelError(_unreachable(preset, path, error)) from error


def _unreachable(preset: Preset, path: Path, error: Exception) -> str:
    mirror = os.environ.get(MIRROR)
    other = f"{mirror} ({MIRROR})" if mirror else f"a folder that the environment variable {MIRROR} names"
    reason = " ".join(str(getattr(error, "reason", None) or error or type(error).__name__).split())
    return (
        f"weights '{preset.name}' of {preset.backbone} are not here and {preset.url} cannot be fetched ({reason}); "
        f"fetch it elsewhere and put it as {preset.file} into {path.parent} or {other}"
    )
