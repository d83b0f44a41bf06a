import numpy as np
import pytest

from desertseg.models import DeepLabV3, DeepLabV3Plus, ResNet
from desertseg.models.deeplab import default_rates


def backbone(**options):
    return ResNet((1, 1, 1, 1), width=4, zero_init=False, **{"output_stride": 16, **options})


NARROW = {"aspp_channels": 8, "decoder_channels": 8}


@pytest.mark.parametrize("network_class", [DeepLabV3, DeepLabV3Plus])
@pytest.mark.parametrize("output_stride", [8, 16])
def test_rates_follow_the_output_stride(network_class, output_stride):
    network = network_class(backbone(output_stride=output_stride), 3, **NARROW)
    assert network.atrous_rates == tuple(r * 16 // output_stride for r in (6, 12, 18))
    assert default_rates(output_stride) == network.atrous_rates


def test_layers_as_published():
    network = DeepLabV3Plus(backbone(), 5)
    names = [layer.name for layer in network.layers]
    assert network.get_layer("low_level_conv").filters == 48
    assert network.get_layer("decoder2_conv").filters == 256
    assert "decoder3_conv" not in names
    # Classes are scored before the last upsampling.
    assert names.index("classifier") < names.index("classifier_resize")
    assert network.get_layer("classifier").filters == 5


@pytest.mark.parametrize("network_class", [DeepLabV3, DeepLabV3Plus])
def test_config_round_trip_keeps_every_argument(network_class):
    options = {"atrous_rates": (2, 3), "separable": False, "dropout": 0.25, "align_corners": True, **NARROW}
    network = network_class(backbone(), 3, **options, dtype="mixed_bfloat16")
    twin = network_class.from_config(network.get_config())
    assert twin.get_config() == network.get_config()
    for name, value in options.items():
        assert getattr(twin, name) == value
    assert twin.get_layer("decoder1_conv").compute_dtype == "bfloat16"
    assert twin.get_layer("classifier").compute_dtype == "float32"


@pytest.mark.parametrize("network_class", [DeepLabV3, DeepLabV3Plus])
def test_auxiliary_head_gives_both_logits(network_class):
    network = network_class(backbone(), 3, auxiliary=True, size_multiple=8, **NARROW)
    outputs = network.predict(np.zeros((1, 33, 20, 3), "float32"), verbose=0)
    assert {name: value.shape for name, value in outputs.items()} == {
        "logits": (1, 33, 20, 3),
        "auxiliary": (1, 33, 20, 3),
    }


def test_any_size_in_the_same_size_out():
    network = DeepLabV3Plus(backbone(), 3, **NARROW)
    for size in ((1, 1), (31, 45)):
        assert network.predict(np.zeros((1, *size, 3), "float32"), verbose=0).shape == (1, *size, 3)
    assert network.output_shape == (None, None, None, 3)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_features_of_a_resnet_are_its_first_and_last_stage(output_stride):
    network = DeepLabV3Plus(backbone(output_stride=output_stride), 3, **NARROW)
    assert (network.low_level, network.deep) == ("stage1", "stage4")


def test_a_config_without_feature_names_still_loads():
    config = DeepLabV3Plus(backbone(), 3, **NARROW).get_config()
    del config["low_level"], config["deep"]
    assert DeepLabV3Plus.from_config(config).deep == "stage4"
