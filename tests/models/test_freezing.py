import keras
import numpy as np
import pytest

from desertseg.layers import plain_forms
from desertseg.models import DINOv2, MiT, ModelError, ResNet, build_segmenter
from desertseg.models.flops import count_flops, count_program
from desertseg.models.freezing import block_names, freeze_backbone

on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="programs are traced with JAX")


def backbone(blocks=(1, 2, 1, 1)):
    return ResNet(blocks, width=4)


def trained(model):
    return {v.path.split("/")[0] for v in model.trainable_variables}


def test_blocks_in_order():
    names = block_names(ResNet((1, 1, 1, 11), width=4))
    assert names[:4] == ["stage1_block1_", "stage2_block1_", "stage3_block1_", "stage4_block1_"]
    assert names[-2:] == ["stage4_block10_", "stage4_block11_"]


@pytest.mark.parametrize("open_blocks", [0, 1, 3, 5])
def test_the_last_blocks_alone_are_trained(open_blocks):
    model = backbone()
    freeze_backbone(model, open_blocks)
    opened = block_names(model)[5 - open_blocks :]
    expected = {v.path.split("/")[0] for v in model.weights if v.path.startswith(tuple(opened))} if opened else set()
    assert {name for name in expected if "norm" in name or "conv" in name} == trained(model)


def test_a_frozen_backbone_keeps_its_statistics(tiny_options):
    model = build_segmenter(open_blocks=0, **tiny_options)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    before = [np.array(v) for v in model.network.backbone.weights]
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, np.zeros((2, 32, 32), "uint8"), epochs=2, verbose=0)
    for weight, old in zip(model.network.backbone.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_the_file_remembers(tiny_options, tmp_path):
    model = build_segmenter(open_blocks=1, **tiny_options)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.open_blocks == 1
    assert (
        len(loaded.trainable_variables) == len(model.trainable_variables) < len(build_segmenter(**tiny_options).weights)
    )


@pytest.mark.parametrize("open_blocks", [-1, 6])
def test_more_blocks_than_there_are(open_blocks):
    with pytest.raises(ModelError, match="has blocks 1 to 5"):
        freeze_backbone(backbone(), open_blocks)


def test_a_model_without_named_blocks_can_only_be_closed():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs))
    freeze_backbone(model, 0)
    assert not model.trainable_variables
    with pytest.raises(ModelError, match="no layers named block1_"):
        freeze_backbone(model, 1)


def test_the_last_normalisation_is_open_although_earlier_blocks_use_it_too():
    model = DINOv2(16, 3, 2, position_grid=3, features=(1, 2, 3))
    freeze_backbone(model, 1)
    assert {name for name in trained(model) if not name.startswith("block3_")} == {"norm"}
    assert not any(name.startswith(("block1_", "block2_", "patch")) for name in trained(model))


def test_what_stands_between_stages_opens_with_the_block_before_it():
    model = MiT((8, 8, 8, 8), (1, 1, 1, 1), (1, 1, 1, 1))
    freeze_backbone(model, 2)
    assert {name.split("_")[0] for name in trained(model)} == {"stage3", "stage4"}
    assert "stage3_embed" not in trained(model)
    assert {"stage3_norm", "stage4_embed", "stage4_norm"} <= trained(model)


def small(kind, open_blocks="all"):
    """Return a segmenter whose backbone does nearly all the work."""
    if kind == "dinov2":
        options = {"width": 384, "depth": 6, "num_heads": 2, "position_grid": 5, "layer_scale": 0.7}
        return build_segmenter("linear", "dinov2_vits14", open_blocks=open_blocks, **options)
    # Fewer than 256 channels: Winograd's transformed weights would hide what the activations take.
    return build_segmenter("linear", "resnet18", open_blocks=open_blocks, width=24, zero_init=False)


PICTURES = (2, 56, 84, 3)
LOGITS_BYTES = 2 * 56 * 84 * 10 * 4


def gradient_program(model, pictures):
    """Return the traced loss and gradients of the open variables, and the arguments that it takes."""
    import jax

    criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    labels = np.zeros(pictures.shape[:3], "uint8")

    def loss(opened, closed, images):
        return criterion(labels, model.stateless_call(opened, closed, images, training=True)[0])

    values = [[v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables)]
    return jax.value_and_grad(loss), (*values, pictures)


def operations_and_memory(function, arguments):
    """Return the operations of the traced program, as `count_flops` counts, and XLA's temporary bytes."""
    import jax

    with plain_forms():
        traced = jax.make_jaxpr(function)(*arguments).jaxpr
    # A function of its own: JAX would take the traced plain form again.
    program = jax.jit(lambda *values: function(*values)).lower(*arguments).compile()
    return count_program(traced, [True] * len(traced.invars))[0], program.memory_analysis().temp_size_in_bytes


@on_jax
@pytest.mark.parametrize("kind", ["dinov2", "resnet"])
def test_a_frozen_backbone_has_no_backward_pass_and_keeps_no_activations(kind):
    pictures = np.random.default_rng(0).integers(0, 256, PICTURES).astype("float32")
    forward_model, frozen = small(kind), small(kind, 0)

    def forward(opened, closed, images):
        return forward_model.stateless_call(opened, closed, images, training=False)[0]

    _, arguments = gradient_program(forward_model, pictures)
    forward_flops, forward_bytes = operations_and_memory(forward, arguments)
    frozen_flops, frozen_bytes = operations_and_memory(*gradient_program(frozen, pictures))
    trained_flops, trained_bytes = operations_and_memory(*gradient_program(forward_model, pictures))
    backbone = forward_model.network.backbone
    head_flops = forward_flops - 2 * count_flops(backbone, PICTURES[1:3])
    # A weight's gradient costs as much as the forward pass, and so does the gradient of what it was applied to.
    assert forward_flops < frozen_flops <= forward_flops + 2 * head_flops
    assert trained_flops > 2.5 * forward_flops
    # What a frozen step takes beyond the forward pass is the loss', whose arrays have the logits' size.
    assert frozen_bytes - forward_bytes < LOGITS_BYTES
    assert frozen_bytes - forward_bytes < (trained_bytes - forward_bytes) / 4


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts operations of TensorFlow's graph")
@pytest.mark.parametrize("kind", ["dinov2", "resnet"])
def test_a_frozen_backbone_has_no_backward_pass_in_a_graph_of_tensorflow(kind):
    model, trained = small(kind, 0), small(kind)
    features = count_products(lambda images: list(model.network.backbone(images).values()))
    forward = count_products(lambda images: [model(images)])
    assert forward < count_products(lambda images: gradients(model, images)) <= forward + 2 * (forward - features)
    assert count_products(lambda images: gradients(trained, images)) > forward + 1.8 * features


def gradients(model, images):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(images, training=True) ** 2)
    found = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert all(g is not None for g in found)
    return found


def count_products(function):
    """Return how many convolutions and matrix products the function's results need; dead branches are cut off."""
    import tensorflow as tf

    graph = tf.function(function).get_concrete_function(tf.TensorSpec(PICTURES)).graph
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [t.op.name for t in graph.outputs])
    assert not any("PartitionedCall" in node.op for node in needed.node)
    return sum("Conv2" in node.op or "Conv2d" in node.op or "MatMul" in node.op for node in needed.node)


def test_statistics_move_in_open_blocks_alone(tiny_options):
    model = build_segmenter(open_blocks=2, **tiny_options)
    backbone = model.network.backbone
    opened = tuple(block_names(backbone)[-2:])
    statistics = [w for w in backbone.weights if "moving" in w.path]
    before = [np.array(v) for v in statistics]
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, np.zeros((2, 32, 32), "uint8"), verbose=0)
    moved = {w.path for w, old in zip(statistics, before, strict=True) if np.abs(np.array(w) - old).max() > 0}
    assert moved == {w.path for w in statistics if w.path.startswith(opened)}
    assert 0 < len(moved) < len(statistics)
