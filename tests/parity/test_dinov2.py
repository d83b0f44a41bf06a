"""DINOv2 of timm, of Hugging Face and as Facebook's code has it, and the starter code's head on its tokens."""

import re

import numpy as np
import pytest

from desertseg.layers import resize_bicubic
from desertseg.models.dinov2 import DINOv2
from desertseg.models.token_heads import ConvNeXtHead
from desertseg.models.weights import describe_weights, load_weights_from

pytestmark = pytest.mark.parity
SMALL = {"width": 32, "depth": 3, "num_heads": 2}
FEATURES = (1, 3)


@pytest.fixture(params=[(126, 182), (70, 98)], ids=["9x13 tokens", "5x7 tokens"])
def images(request):
    return np.random.default_rng(0).normal(size=(1, *request.param, 3)).astype("float32")


def shake(module):
    """Give every weight, scales, tokens and position embeddings too, a value of a trained network's size."""
    import torch

    generator = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        if tensor.ndim == 1:
            scale = name.endswith(("gamma", "lambda1", "weight"))
            tensor.uniform_(0.4, 1.2, generator=generator) if scale else tensor.normal_(0, 0.2, generator=generator)
        else:
            token = re.search("token|pos", name)
            tensor.normal_(0, 0.5 if token else tensor[0].numel() ** -0.5, generator=generator)
    return module.eval()


def timm_model(num_registers=0, swiglu=False, grid=37, size="small"):
    import timm

    options = {"embed_dim": 32, "depth": 3, "num_heads": 2} if size == "small" else {}
    if swiglu:
        from timm.layers import SwiGLUPacked

        options |= {"mlp_ratio": 2 * 88 / 32, "mlp_layer": SwiGLUPacked, "act_layer": __import__("torch").nn.SiLU}
    name = "vit_small_patch14_reg4_dinov2" if num_registers else "vit_small_patch14_dinov2"
    return shake(timm.create_model(name, dynamic_img_size=True, img_size=grid * 14, num_classes=0, **options))


def hugging_face_model(num_registers=0, swiglu=False, classifier=False, grid=37):
    import transformers

    config, model = (
        (transformers.Dinov2WithRegistersConfig, transformers.Dinov2WithRegistersModel)
        if num_registers
        else (transformers.Dinov2Config, transformers.Dinov2Model)
    )
    if classifier:
        model = transformers.Dinov2ForImageClassification
    size = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
    return shake(model(config(**size, image_size=14 * grid, patch_size=14, use_swiglu_ffn=swiglu)))


def tokens_of(module, images, blocks=FEATURES):
    """Return {"block{n}": normalised patch tokens (B, h, w, C)} of timm's or Hugging Face's model."""
    import torch

    inputs = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    grid = [n // 14 for n in images.shape[1:3]]
    with torch.inference_mode():
        if hasattr(module, "get_intermediate_layers"):
            tokens = module.get_intermediate_layers(inputs, n=[b - 1 for b in blocks], norm=True)
        else:
            hidden = module(inputs, output_hidden_states=True).hidden_states
            tokens = [module.layernorm(hidden[b]) for b in blocks]
    last = grid[0] * grid[1]
    return {
        f"block{b}": t[:, -last:].reshape(-1, *grid, t.shape[-1]).numpy() for b, t in zip(blocks, tokens, strict=True)
    }


def save(module, path):
    import torch

    torch.save(module if isinstance(module, dict) else module.state_dict(), path / "weights.pth")
    return path / "weights.pth"


def hold(network, reference, images, assert_near, blocks=FEATURES):
    assert list(network.output) == [f"block{b}" for b in blocks]
    ours, theirs = network.predict(images, verbose=0), tokens_of(reference, images, blocks)
    assert set(ours) == set(theirs)  # JAX sorts the names of what a compiled function returns
    for name, value in ours.items():
        assert_near(value, theirs[name])


@pytest.mark.parametrize(("num_registers", "swiglu"), [(0, False), (4, False), (0, True)])
def test_timm(num_registers, swiglu, images, tmp_path, assert_near):
    reference = timm_model(num_registers, swiglu)
    path = save(reference, tmp_path)
    found = describe_weights(path)
    assert (found.scope, found.backbone) == ("backbone", "dinov2_vits14_reg" if num_registers else "dinov2_vits14")
    options = {} if num_registers else {"position_antialias": True, "position_offset": 0.0}
    size = {**SMALL, "num_heads": 1, **({"swiglu": True} if swiglu else {})}
    assert found.options == {**size, **options}
    network = DINOv2(**SMALL, swiglu=swiglu, num_registers=num_registers, features=FEATURES, **options)
    load_weights_from(network, path, say=None)
    hold(network, reference, images, assert_near)


@pytest.mark.parametrize("how", ["file", "folder"])
@pytest.mark.parametrize(("num_registers", "swiglu"), [(0, False), (4, False), (4, True)])
def test_hugging_face(num_registers, swiglu, how, images, tmp_path, assert_near):
    reference = hugging_face_model(num_registers, swiglu)
    path = save(reference, tmp_path) if how == "file" else tmp_path
    if how == "folder":
        reference.save_pretrained(path)
    options = {} if num_registers else {"position_offset": 0.0}
    size = {**SMALL, "num_heads": 1, **({"swiglu": True} if swiglu else {})}
    assert describe_weights(path).options == {**size, **options}
    network = DINOv2(**SMALL, swiglu=swiglu, num_registers=num_registers, features=FEATURES, **options)
    loaded = load_weights_from(network, path, say=None)
    assert loaded.excused == {"embeddings.mask_token": "token of pre-training"}
    hold(network, reference, images, assert_near)


def test_inside_a_classification_model(images, tmp_path, assert_near):
    reference = hugging_face_model(classifier=True)
    network = DINOv2(**SMALL, features=FEATURES, position_offset=0.0)
    loaded = load_weights_from(network, save(reference, tmp_path), say=None)
    assert sorted(loaded.excused) == ["classifier.bias", "classifier.weight", "dinov2.embeddings.mask_token"]
    hold(network, reference.dinov2, images, assert_near)


def facebook_state(module, swiglu, chunk=None):
    """Return timm's weights under Facebook's names; with chunks of blocks as their training code writes them."""
    import torch

    names = {"reg_token": "register_tokens"}
    state = {"mask_token": torch.zeros(1, 32)}
    for name, value in module.state_dict().items():
        if name == "pos_embed" and "reg_token" in module.state_dict():
            value = torch.cat([torch.ones(1, 1, 32), value], 1)
        name = names.get(name, name)
        if swiglu:
            name = name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
        if chunk is not None:
            name = re.sub(r"^blocks\.(\d+)\.", lambda m: f"blocks.{int(m[1]) // chunk}.{m[1]}.", name)
        state[name] = value
    if chunk is None:
        return state
    state = {f"backbone.{name}": value for name, value in state.items()}
    return {"teacher": {**state, "dino_head.mlp.0.weight": torch.ones(4, 32)}}


class Facebook:
    """A timm model whose position embeddings are resized in the way of Facebook's code, and added by it."""

    def __init__(self, module):
        self.module = module

    def tokens(self, images):
        import torch

        module, grid = self.module, [n // 14 for n in images.shape[1:3]]
        registers = getattr(module, "reg_token", None)
        positions = module.pos_embed if registers is not None else module.pos_embed[:, 1:]
        positions = positions.reshape(1, 37, 37, -1).permute(0, 3, 1, 2)
        resize = torch.nn.functional.interpolate
        with torch.no_grad():
            if registers is None:
                scale = tuple(float(n + 0.1) / 37 for n in grid)
                positions = resize(positions, scale_factor=scale, mode="bicubic", antialias=False)
            else:
                positions = resize(positions, size=tuple(grid), mode="bicubic", antialias=True)
            x = module.patch_embed.proj(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())) + positions
            prefix = module.cls_token + (1.0 if registers is not None else module.pos_embed[:, :1])
            prefix = prefix if registers is None else torch.cat([prefix, registers], 1)
            x = torch.cat([prefix, x.flatten(2).transpose(1, 2)], 1)
            for block in module.blocks:
                x = block(x)
        return module.norm(x)[:, prefix.shape[1] :].reshape(1, *grid, -1).detach().numpy()


@pytest.mark.parametrize(("num_registers", "swiglu", "chunk"), [(0, False, None), (4, False, 2), (0, True, None)])
def test_facebook(num_registers, swiglu, chunk, images, tmp_path, assert_near):
    reference = timm_model(num_registers, swiglu)
    path = save(facebook_state(reference, swiglu, chunk), tmp_path)
    found = describe_weights(path)
    assert found.layout == "Facebook DINOv2"
    assert found.options == {**SMALL, "num_heads": 1, **({"swiglu": True} if swiglu else {})}
    network = DINOv2(**SMALL, swiglu=swiglu, num_registers=num_registers)
    excused = load_weights_from(network, path, say=None).excused
    assert sorted(excused) == (["backbone.mask_token", "dino_head.mlp.0.weight"] if chunk else ["mask_token"])
    assert_near(network.predict(images, verbose=0)["block3"], Facebook(reference).tokens(images))


def test_vit_small_of_its_real_size(tmp_path, assert_near):
    reference = timm_model(4, size="real")
    path = save(reference, tmp_path)
    found = describe_weights(path)
    assert (found.backbone, found.options) == ("dinov2_vits14_reg", {})
    network = DINOv2(num_registers=4, features=4)
    load_weights_from(network, path, say=None)
    images = np.random.default_rng(0).normal(size=(1, 126, 182, 3)).astype("float32")
    hold(network, reference, images, assert_near, (3, 6, 9, 12))


def test_another_grid(images, tmp_path, assert_near):
    reference = timm_model(grid=16)
    path = save(reference, tmp_path)
    options = describe_weights(path).options
    assert options["position_grid"] == 16
    network = DINOv2(**{**options, "num_heads": 2}, features=FEATURES)
    load_weights_from(network, path, say=None)
    hold(network, reference, images, assert_near)


@pytest.mark.parametrize("size", [(19, 34), (5, 50), (37, 41), (26, 46)])
@pytest.mark.parametrize(("offset", "antialias"), [(0.1, False), (0.0, False), (0.0, True)])
def test_bicubic_is_pytorchs(size, offset, antialias):
    import torch

    picture = np.random.default_rng(0).normal(size=(37, 37, 3)).astype("float32")
    target = {"scale_factor": tuple((n + offset) / 37 for n in size)} if offset else {"size": size}
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(picture.transpose(2, 0, 1)[None]), mode="bicubic", antialias=antialias, **target
    )
    ours = np.asarray(resize_bicubic(picture, size, offset=offset, antialias=antialias))
    np.testing.assert_allclose(ours, theirs[0].numpy().transpose(1, 2, 0), rtol=0, atol=3e-5)


def starter_head(num_classes=10):
    """Return the organiser's head on features (B, C, h, w), written from its description."""
    import torch
    from torch import nn

    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(32, 128, 7, padding=3), nn.GELU())
            self.block = nn.Sequential(
                nn.Conv2d(128, 128, 7, padding=3, groups=128), nn.GELU(), nn.Conv2d(128, 128, 1), nn.GELU()
            )
            self.classifier = nn.Conv2d(128, num_classes, 1)

        def forward(self, x):
            return self.classifier(self.block(self.stem(x)))

    torch.manual_seed(0)
    return Head().eval()


def test_starter_head(images, tmp_path, assert_near):
    import torch

    network = ConvNeXtHead(DINOv2(**SMALL, layer_scale=1.0), 10)
    before = [np.array(v) for v in network.backbone.weights]
    reference = starter_head()
    path = save(reference, tmp_path)
    found = describe_weights(path)
    assert (found.scope, found.model, found.options, found.num_classes) == (
        "network",
        "convnext_head",
        {"channels": 128},
        10,
    )
    load_weights_from(network, path, say=None)
    for variable, value in zip(network.backbone.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), value)
    tokens = network.backbone.predict(images, verbose=0)["block3"]
    with torch.inference_mode():
        logits = reference(torch.from_numpy(tokens.transpose(0, 3, 1, 2).copy()))
        logits = torch.nn.functional.interpolate(logits, images.shape[1:3], mode="bilinear", align_corners=False)
    assert_near(network.predict(images, verbose=0), logits.numpy().transpose(0, 2, 3, 1))


def test_padded_sizes(tmp_path, assert_near):
    import torch

    reference, network = starter_head(7), ConvNeXtHead(DINOv2(**SMALL, layer_scale=1.0), 7)
    load_weights_from(network, save(reference, tmp_path), say=None)
    images = np.random.default_rng(0).normal(size=(1, 61, 93, 3)).astype("float32")
    padded = np.zeros((1, 70, 98, 3), "float32")
    padded[:, :61, :93] = images
    tokens = network.backbone.predict(padded, verbose=0)["block3"]
    with torch.inference_mode():
        logits = reference(torch.from_numpy(tokens.transpose(0, 3, 1, 2).copy()))
        logits = torch.nn.functional.interpolate(logits, (70, 98), mode="bilinear", align_corners=False)
    assert_near(network.predict(images, verbose=0), logits.numpy().transpose(0, 2, 3, 1)[:, :61, :93])


def test_a_head_with_another_count_of_classes_starts_its_classifier_anew(tmp_path):
    network = ConvNeXtHead(DINOv2(**SMALL), 7)
    loaded = load_weights_from(network, save(starter_head(10), tmp_path), say=None)
    assert len(loaded.reinitialized) == 2
