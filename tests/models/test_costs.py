import keras
import pytest

from desertseg.models import build_segmenter
from desertseg.models.catalogue import NETWORKS
from desertseg.models.costs import known_costs, measure_cost

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="operations are counted by tracing with JAX")
SMALL = ["deeplabv3plus_resnet18", "segformer_b0", "lraspp_mobilenetv3_large", "linear_dinov2_vits14"]


@pytest.mark.parametrize("name", SMALL)
def test_the_list_says_what_is_counted(name):
    assert measure_cost(build_segmenter(name, labels="falcon")) == known_costs()[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in SMALL])
def test_the_whole_list(name):
    assert measure_cost(build_segmenter(name, labels="falcon")) == known_costs()[name]
