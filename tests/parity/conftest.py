"""PyTorch's reference networks with random weights, and their way into ours through the real importer."""

import copy

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


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def randomize():
    return _randomize


@pytest.fixture(params=["pth", "safetensors"])
def weight_file(request, tmp_path):
    """Return a function that writes a module's weights as their users have them on disk, and gives the file."""

    def write(module):
        path = tmp_path / f"weights.{request.param}"
        if request.param == "pth":
            torch.save(module.state_dict(), path)
        else:
            from safetensors.torch import save_model

            save_model(module, str(path))
        return path

    return write


@pytest.fixture
def load_from(tmp_path):
    """Return a function that fills a model of ours from a module's weights, through a file and the real importer."""
    from desertseg.models import load_weights_from

    def load(model, module):
        path = tmp_path / "weights.pth"
        torch.save(module.state_dict(), path)
        return load_weights_from(model, path, say=None)

    return load


@pytest.fixture
def assert_statistics_move_alike():
    """Run both in training mode on one batch, and hold every moving mean and variance against PyTorch's in float64.

    The statistics of ours are read back under the reference's names through the layout's own assignments. The distance
    allowed is 1e-4 of their scale, or twice what PyTorch's own float32 is away from its float64 where that is more: in
    a ResNet-152 with random weights, batch normalisation magnifies the last bit to 2e-4 in either.
    """
    from desertseg.models.weights.load import identify

    def check(network, target, module, size=(96, 128)):
        images = np.random.default_rng(1).normal(size=(4, *size, 3)).astype("float32")
        batch = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        exact = copy.deepcopy(module).double()
        with torch.no_grad():
            module.train()(batch)
            exact.train()(batch.double())
        network(images, training=True)
        rounded, expected = ({k: v.numpy() for k, v in m.state_dict().items()} for m in (module, exact))
        layout = identify(rounded, "reference")[0]
        pairs = zip(layout.assign(target, rounded), layout.assign(target, expected), strict=True)
        pairs = [(a, b) for a, b in pairs if a.variable.name in ("moving_mean", "moving_variance")]
        assert pairs

        def distance(found, assignment):
            value = assignment.convert(*(expected[name] for name in assignment.tensors))
            return np.abs(found - value).max() / max(1.0, np.abs(value).max())

        theirs = max(distance(a.convert(*(rounded[name] for name in a.tensors)), b) for a, b in pairs)
        assert max(distance(np.asarray(a.variable), b) for a, b in pairs) <= max(1e-4, 2 * theirs)

    return check


@pytest.fixture(params=[(64, 96), (61, 93)], ids=["64x96", "61x93"])
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
def assert_near(request):
    """Hold an output to 1e-4, the project's tolerance for parity, or to that share of its spread where that is less."""

    def check(ours, theirs):
        assert ours.shape == theirs.shape
        assert theirs.std() > 1e-3
        difference = float(np.abs(ours - theirs).max() / min(1.0, theirs.std()))
        request.node.user_properties.append(("difference", difference))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * min(1.0, theirs.std()))

    return check


def pytest_terminal_summary(terminalreporter):
    """Print the largest difference of every test: the parity table of docs/models.md."""
    largest: dict[str, float] = {}
    for report in terminalreporter.stats.get("passed", []):
        test = report.nodeid.split("[")[0]
        for _, difference in report.user_properties:
            largest[test] = max(difference, largest.get(test, 0.0))
    for test, difference in sorted(largest.items()):
        terminalreporter.write_line(f"largest difference {difference:.1e}  {test}")
