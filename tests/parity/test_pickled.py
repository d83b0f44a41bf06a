"""PyTorch's own files, read without PyTorch, against torch.load."""

import subprocess
import sys

import numpy as np
import pytest

from desertseg.models.errors import ModelError
from desertseg.models.weights.files import read_tensors

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
DTYPES = [
    *("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"),
    *("uint16", "uint32", "uint64"),
]


@pytest.fixture(params=["zip", "legacy"])
def save(request, tmp_path):
    """Save an object in one of PyTorch's two formats and return the path."""

    def save(value):
        torch.save(value, tmp_path / "w.pth", _use_new_zipfile_serialization=request.param == "zip")
        return tmp_path / "w.pth"

    return save


def assert_same(path, state):
    found = read_tensors(path)
    assert list(found) == list(state)
    for name, value in state.items():
        wide = value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
        assert found[name].dtype == wide.detach().numpy().dtype
        np.testing.assert_array_equal(found[name], wide.detach().numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype, save):
    values = torch.arange(12).reshape(3, 4).to(getattr(torch, dtype))
    assert_same(save({"x": values}), {"x": values})


def test_views(save):
    base = torch.randn(6, 8)
    state = {
        "transposed": base.t(),
        "part": base[1:4, 2::3],
        "shared": base,
        "expanded": base[:1].expand(5, 8),
        "scalar": base[2, 3],
        "empty": torch.zeros(0, 3),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(base[3]),
    }
    assert_same(save(state), state)


def test_a_trainers_checkpoint(save):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(2, 3, 5, 6)).sum().backward()
    optimizer.step()
    state = network.state_dict()
    wrapped = {f"module.{name}": value for name, value in state.items()}
    kept = {"epoch": 3, "optimizer": optimizer.state_dict(), "best": 0.5, "device": torch.device("cpu")}
    assert_same(save({**kept, "state_dict": wrapped}), state)


def test_a_whole_model_is_refused(save):
    with pytest.raises(ModelError, match=r"whole pickled model.*state_dict"):
        read_tensors(save(torch.nn.Linear(2, 3)))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
def test_a_script_is_refused(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), tmp_path / "w.pt")
    with pytest.raises(ModelError, match="TorchScript"):
        read_tensors(tmp_path / "w.pt")


def test_without_checksums(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"x": torch.ones(3)}, tmp_path / "w.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_tensors(tmp_path / "w.pth")["x"].sum() == 3


def test_torch_stays_unloaded(save):
    path = save({"x": torch.ones(3)})
    program = (
        "import sys; from desertseg.models.weights.files import read_tensors; "
        f"read_tensors({str(path)!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
