"""PyTorch's reference networks with random weights, and a strict copy of those weights into ours."""

import re

import numpy as np
import pytest

try:
    import torch
except ImportError:
    collect_ignore_glob = ["test_*.py"]
else:
    # A CPU build of PyTorch lacks two operators that torchvision registers kernels for; declared, it imports.
    _LIBRARY = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _LIBRARY.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

_NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
_AXES = {"Convolution": (2, 3, 1, 0), "DepthwiseConvolution": (2, 3, 0, 1)}


def _randomize(module, seed=0):
    """Give every normalisation random scales and statistics, and put the module into inference."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for tensor, low, high in (
                (layer.weight, 0.3, 0.9),
                (layer.bias, -0.2, 0.2),
                (layer.running_mean, -0.2, 0.2),
                (layer.running_var, 0.5, 1.5),
            ):
                tensor.data.uniform_(low, high, generator=generator)
    return module.eval()


def _backbone_names(name):
    """Return torchvision's module name of a layer of our ResNet, or None."""
    if name in ("stem_conv", "stem_norm"):
        return {"stem_conv": "conv1", "stem_norm": "bn1"}[name]
    match = re.fullmatch(r"stage(\d)_block(\d+)_(\d|shortcut)_(conv|norm)", name)
    if match is None:
        return None
    stage, block, place, kind = match.groups()
    if place == "shortcut":
        return f"layer{stage}.{int(block) - 1}.downsample.{int(kind == 'norm')}"
    return f"layer{stage}.{int(block) - 1}.{'bn' if kind == 'norm' else 'conv'}{place}"


def _copy_weights(state, network, names):
    """Copy every tensor of a state dict into exactly one weight of `network`, and every weight from exactly one tensor.

    Args:
        state: from `state_dict()`.
        network: ours.
        names: our layer's name -> their module's name.
    """
    unused = {name for name in state if not name.endswith("num_batches_tracked")}
    for layer in network._flatten_layers():
        for weight in getattr(layer, "weights", []) if type(layer).__name__ in (*_AXES, "BatchNormalization") else []:
            suffix = _NORM.get(weight.name, "bias" if weight.name == "bias" else "weight")
            name = f"{names(layer.name)}.{suffix}"
            assert name in unused, f"{layer.name}/{weight.name} wants {name}, which is missing or already used"
            unused.remove(name)
            value = state[name].numpy()
            weight.assign(np.transpose(value, _AXES[type(layer).__name__]) if value.ndim == 4 else value)
    assert not unused, f"not copied: {sorted(unused)}"


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def randomize():
    return _randomize


@pytest.fixture
def backbone_names():
    return _backbone_names


@pytest.fixture
def copy_weights():
    return _copy_weights


@pytest.fixture(params=[(64, 96), (96, 80)], ids=["64x96", "96x80"])
def images(request):
    """Normalised images (1, H, W, 3)."""
    return np.random.default_rng(0).normal(size=(1, *request.param, 3)).astype("float32")


@pytest.fixture
def run_torch():
    """Return a torch module's output on channels-last images, channels last, a dict or list of them likewise."""

    def convert(value):
        if isinstance(value, dict):
            return {name: convert(v) for name, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [convert(v) for v in value]
        return value.numpy().transpose(0, 2, 3, 1)

    def run(module, images):
        with torch.inference_mode():
            return convert(module(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())))

    return run


@pytest.fixture
def assert_near():
    """Hold an output to 1e-4, the project's tolerance for parity, or to that share of its spread where that is less."""

    def check(ours, theirs):
        assert ours.shape == theirs.shape
        assert theirs.std() > 1e-3
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * min(1.0, theirs.std()))

    return check
