"""SegFormer of Hugging Face and of segmentation_models.pytorch, whose encoder is nvidia's."""

import re

import keras
import numpy as np
import pytest

from desertseg.models.mit import MiT
from desertseg.models.segformer import SegFormer
from desertseg.models.weights import describe_weights, load_weights_from

pytestmark = pytest.mark.parity
DEEPER = {"widths": (8, 16, 24, 32), "depths": (2, 1, 3, 2), "heads": (1, 2, 3, 4), "reductions": (4, 4, 2, 1)}
SIZES = {"b0": {}, "deeper": DEEPER}


@pytest.fixture(params=[(64, 96), (61, 93)], ids=["64x96", "61x93"])
def images(request):
    return np.random.default_rng(0).normal(size=(2, *request.param, 3)).astype("float32")


def hugging_face(kind="SegformerForSemanticSegmentation", size="b0", num_classes=10):
    """Return transformers' network with every weight, the statistics too, of a trained network's size."""
    import transformers

    options = SIZES[size]
    names = {"widths": "hidden_sizes", "depths": "depths", "heads": "num_attention_heads", "reductions": "sr_ratios"}
    config = transformers.SegformerConfig(
        num_labels=num_classes,
        decoder_hidden_size=256 if size == "b0" else 48,
        drop_path_rate=0.0,
        classifier_dropout_prob=0.0,
        **{names[k]: v for k, v in options.items()},
    )
    return shake(getattr(transformers, kind)(config))


def shake(module):
    import torch

    generator = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.ndim == 1:
            tensor.normal_(0, 0.2, generator=generator)
        elif tensor.ndim > 1:
            tensor.normal_(0, tensor[0].numel() ** -0.5, generator=generator)
    return module.eval()


def ours(size="b0", num_classes=10):
    return SegFormer(MiT(**SIZES[size]), num_classes, decoder_channels=256 if size == "b0" else 48)


def logits_of(module, images):
    """Return a reference's logits, which have stride 4, at the images' size."""
    import torch

    with torch.inference_mode():
        logits = module(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
        logits = getattr(logits, "logits", logits)
        logits = torch.nn.functional.interpolate(logits, images.shape[1:3], mode="bilinear", align_corners=False)
    return logits.numpy().transpose(0, 2, 3, 1)


def forward_in_training(network, images):
    """Run one forward pass with batch statistics, compiled: JAX would compile each operation by itself."""
    if keras.backend.backend() == "tensorflow":
        network(images, training=True)
        return
    import jax

    run = jax.jit(lambda *state: network.stateless_call(*state, images, training=True)[1])
    values = run([v.value for v in network.trainable_variables], [v.value for v in network.non_trainable_variables])
    for variable, value in zip(network.non_trainable_variables, values, strict=True):
        variable.assign(value)


def save(module, path, kind="file"):
    """Write a module's weights as transformers does (older names) or as torch.save does (newer ones)."""
    import torch

    if kind == "folder":
        module.save_pretrained(path)
    else:
        path = path / "weights.pth"
        torch.save(module.state_dict() if isinstance(module, torch.nn.Module) else module, path)
    return path


@pytest.mark.parametrize(("size", "kind"), [("b0", "folder"), ("deeper", "file")])
def test_hugging_face(size, kind, images, tmp_path, assert_near):
    import torch

    reference = hugging_face(size=size)
    network = ours(size)
    load_weights_from(network, save(reference, tmp_path, kind), say=None)
    assert_near(network.predict(images, verbose=0), logits_of(reference, images))
    with torch.inference_mode():
        expected = reference.segformer(
            torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), output_hidden_states=True
        ).hidden_states
    found = network.backbone.predict(images, verbose=0)
    assert list(found) == ["stage1", "stage2", "stage3", "stage4"]
    for value, theirs in zip(found.values(), expected, strict=True):
        assert_near(value, theirs.numpy().transpose(0, 2, 3, 1))


def test_hugging_face_at_full_size(tmp_path, assert_near):
    reference, network = hugging_face(), ours()
    load_weights_from(network, save(reference, tmp_path), say=None)
    images = np.random.default_rng(0).normal(size=(1, 253, 449, 3)).astype("float32")
    assert_near(network.predict(images, verbose=0), logits_of(reference, images))


def test_one_training_step_moves_the_statistics_alike(images, tmp_path, assert_near):
    import torch

    reference, network = hugging_face(size="deeper"), ours("deeper")
    load_weights_from(network, save(reference, tmp_path), say=None)
    forward_in_training(network, images)
    with torch.no_grad():
        reference.train()(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    norm = network.get_layer("fusion_norm")
    theirs = reference.decode_head.batch_norm
    assert_near(keras.ops.convert_to_numpy(norm.moving_mean), theirs.running_mean.numpy())
    assert_near(keras.ops.convert_to_numpy(norm.moving_variance), theirs.running_var.numpy())


@pytest.mark.parametrize("kind", ["SegformerModel", "SegformerForImageClassification"])
@pytest.mark.parametrize("how", ["folder", "file"])
def test_hugging_face_encoder_alone(kind, how, tmp_path):
    reference = hugging_face(kind, "deeper")
    path = save(reference, tmp_path, how)
    found = describe_weights(path)
    assert (found.scope, found.model) == ("backbone", "segformer")
    network = ours("deeper")
    loaded = load_weights_from(network, path, say=None)
    assert sorted(loaded.excused) == ([] if kind == "SegformerModel" else ["classifier.bias", "classifier.weight"])
    kernel = network.backbone.get_layer("stage3_block2_key_value").kernel
    assert np.asarray(keras.ops.convert_to_numpy(kernel)).shape == (1, 1, 24, 48)


@pytest.mark.parametrize("size", list(SIZES))
def test_what_a_file_holds(size, tmp_path):
    found = describe_weights(save(hugging_face(size=size), tmp_path))
    assert (found.scope, found.model, found.backbone, found.num_classes) == ("network", "segformer", "mit_b0", 10)
    sizes = {k: DEEPER[k] for k in ("widths", "depths", "reductions")} if size == "deeper" else {}
    assert found.options == {**sizes, "decoder_channels": 48 if size == "deeper" else 256}


def test_another_count_of_classes_is_excused(tmp_path):
    reference, network = hugging_face(size="deeper", num_classes=150), ours("deeper", 7)
    loaded = load_weights_from(network, save(reference, tmp_path), say=None)
    assert len(loaded.reinitialized) == 2
    assert all("150 classes, the model 7" in why for why in loaded.reinitialized.values())


def segmentation_models():
    import segmentation_models_pytorch as smp

    return shake(smp.Segformer("mit_b0", encoder_weights=None, classes=10, upsampling=1))


@pytest.mark.parametrize("author", ["segmentation_models", "nvidia"])
def test_nvidias_encoder(author, tmp_path, assert_near):
    import torch

    reference, network = segmentation_models(), ours()
    state = reference.state_dict()
    if author == "nvidia":
        state = {nvidia_name(name): value for name, value in state.items()}
        state["decode_head.conv_seg.weight"], state["decode_head.conv_seg.bias"] = (
            torch.ones(10, 128, 1, 1),
            torch.ones(10),
        )
        state = {"state_dict": state}
    loaded = load_weights_from(network, save(state, tmp_path), say=None)
    assert sorted(loaded.excused) == [f"decode_head.conv_seg.{k}" for k in ("bias", "weight") if author == "nvidia"]
    images = np.random.default_rng(0).normal(size=(1, 64, 96, 3)).astype("float32")
    assert_near(network.predict(images, verbose=0), logits_of(reference, images))


def test_nvidias_imagenet_weights(tmp_path, run_torch, assert_near):
    import torch

    encoder = segmentation_models().encoder
    state = {**encoder.state_dict(), "head.weight": torch.ones(1000, 256), "head.bias": torch.ones(1000)}
    network = ours()
    loaded = load_weights_from(network, save(state, tmp_path), say=None)
    assert sorted(loaded.excused) == ["head.bias", "head.weight"]
    images = np.random.default_rng(0).normal(size=(1, 64, 96, 3)).astype("float32")
    for value, theirs in zip(
        network.backbone.predict(images, verbose=0).values(), run_torch(encoder, images)[2:], strict=True
    ):
        assert_near(value, theirs)


def nvidia_name(name):
    """Return the name in nvidia's own file of a tensor of segmentation_models.pytorch."""
    name = re.sub(r"^encoder\.", "backbone.", name)
    name = re.sub(r"^decoder\.mlp_stage\.(\d)\.linear", lambda m: f"decode_head.linear_c{4 - int(m[1])}.proj", name)
    name = name.replace("decoder.fuse_stage.0", "decode_head.linear_fuse.conv")
    name = name.replace("decoder.fuse_stage.1", "decode_head.linear_fuse.bn")
    return name.replace("segmentation_head.0", "decode_head.linear_pred")
