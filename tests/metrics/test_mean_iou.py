"""The metric that counts inside the compiled step."""

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

from desertseg.metrics import MeanIoU, MetricError, count_confusion

CLASSES = 5


def compiled(function):
    """Compile for XLA: what cannot be traced, because it needs a value on the host, fails here."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


@pytest.fixture
def batch():
    """Labels uint8 (3, 6, 7) with ignore and without class 4; logits float32 (3, 6, 7, 5)."""
    rng = np.random.default_rng(1)
    labels = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (3, 6, 7))
    return labels, rng.normal(size=(3, 6, 7, CLASSES)).astype(np.float32)


def expected_matrix(labels, logits):
    valid = labels != 255
    return sk.confusion_matrix(labels[valid], logits.argmax(-1)[valid], labels=range(logits.shape[-1]))


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@pytest.mark.parametrize("how", [compiled, lambda f: f], ids=["compiled", "eager"])
def test_count_confusion_equals_scikit_learn(dtype, how, batch):
    labels, logits = batch
    count = how(lambda a, b: count_confusion(a, b, CLASSES, 255))
    matrix = count(*map(keras.ops.convert_to_tensor, (labels.astype(dtype), logits.argmax(-1).astype(dtype))))
    assert keras.backend.standardize_dtype(matrix.dtype) == "int32"
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(matrix), expected_matrix(labels, logits))


def test_count_confusion_leaves_out_what_is_no_class():
    labels = np.array([0, 1, 255, 2, -1, 254, 1], np.int32)
    predictions = np.array([0, 0, 0, 0, 0, 1, 9], np.int32)
    matrix = keras.ops.convert_to_numpy(count_confusion(labels, predictions, 2, 255))
    np.testing.assert_array_equal(matrix, [[1, 0], [1, 0]])


@pytest.mark.parametrize("average", ["present", "all"])
def test_accumulates_over_batches_in_a_compiled_step(average, batch):
    metric = MeanIoU(CLASSES, average=average, names="abcde")

    @compiled
    def step(state, labels, logits):
        state = metric.stateless_update_state(state, labels, logits)
        return state, metric.stateless_result(state)

    state = [v.value for v in metric.variables]
    labels, logits = batch
    for k in range(3):
        state, result = step(state, keras.ops.convert_to_tensor(labels[k : k + 1]), logits[k : k + 1])
    for variable, value in zip(metric.variables, state, strict=True):
        variable.assign(value)
    np.testing.assert_array_equal(metric.confusion_matrix(), expected_matrix(labels, logits))
    scores = metric.scores()
    chosen = scores.miou if average == "present" else scores.miou_all
    assert scores.names == tuple("abcde")
    assert scores.miou != pytest.approx(scores.miou_all, rel=1e-2)
    assert float(result) == pytest.approx(chosen, rel=1e-6)
    valid = labels != 255
    classes = np.unique(labels[valid]) if average == "present" else range(CLASSES)
    expected = sk.jaccard_score(
        labels[valid], logits.argmax(-1)[valid], labels=classes, average="macro", zero_division=0
    )
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("start", [2**30 - 1, 2**31 - 1, 2**31, 2**32 - 1, 5 * 2**30 - 2, 2**53 - 1])
def test_counts_are_exact_far_beyond_32_bits(start, batch):
    labels, logits = batch
    metric = MeanIoU(CLASSES)
    metric.low.assign(np.full((CLASSES, CLASSES), start % 2**30))
    metric.high.assign(np.full((CLASSES, CLASSES), start // 2**30))
    assert (metric.confusion_matrix() == start).all()
    update = compiled(lambda state, a, b: metric.stateless_update_state(state, a, b))
    state = [v.value for v in metric.variables]
    for _ in range(3):
        state = update(state, keras.ops.convert_to_tensor(labels), keras.ops.convert_to_tensor(logits))
    for variable, value in zip(metric.variables, state, strict=True):
        variable.assign(value)
    expected = start + 3 * expected_matrix(labels, logits).astype(np.int64)
    np.testing.assert_array_equal(metric.confusion_matrix(), expected)
    assert metric.confusion_matrix().dtype == np.int64
    # float32 keeps 24 bits of each count, so seven digits of their ratios.
    assert float(metric.result()) == pytest.approx(metric.scores().miou, rel=1e-6)


def test_one_batch_as_large_as_memory_allows_does_not_overflow_the_carry():
    metric = MeanIoU(2)
    metric.low.assign(np.full((2, 2), 2**30 - 1))
    metric._add(keras.ops.full((2, 2), 2**30 - 1, dtype="int32"), keras.ops.zeros((), "int32"))
    assert (metric.confusion_matrix() == 2**31 - 2).all()


def test_logits_and_predictions_count_the_same(batch):
    labels, logits = batch
    by_logits, by_predictions = MeanIoU(CLASSES), MeanIoU(CLASSES)
    by_logits.update_state(labels, keras.ops.cast(logits, "bfloat16"))
    rounded = keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.cast(logits, "bfloat16"), "float32"))
    by_predictions.update_state(labels, rounded.argmax(-1).astype(np.uint8))
    np.testing.assert_array_equal(by_logits.confusion_matrix(), by_predictions.confusion_matrix())


def test_reset_state_starts_again(batch):
    metric = MeanIoU(CLASSES)
    metric.update_state(*batch)
    metric.reset_state()
    assert metric.confusion_matrix().sum() == 0
    assert np.isnan(float(metric.result()))


def test_a_label_that_is_no_class_is_loud(batch):
    labels, logits = batch
    wrong = labels.copy()
    wrong[0, 0, :2] = 200
    metric = MeanIoU(CLASSES)
    metric.update_state(wrong, logits)
    assert np.isnan(float(metric.result()))
    with pytest.raises(MetricError, match="miou was shown 2 pixels whose label or prediction"):
        metric.scores()
    metric.reset_state()
    metric.update_state(labels, logits)
    assert float(metric.result()) > 0


def test_what_does_not_fit_is_refused(batch):
    labels, logits = batch
    metric = MeanIoU(CLASSES)
    with pytest.raises(MetricError, match=r"labels \(3, 6, 7\) and predictions \(3, 6, 7, 4\)"):
        metric.update_state(labels, logits[..., :4])
    with pytest.raises(MetricError, match="integer predictions"):
        metric.update_state(labels, logits[..., 0])
    with pytest.raises(MetricError, match="weighted_metrics"):
        metric.update_state(labels, logits, sample_weight=np.ones(3))
    with pytest.raises(MetricError, match="average is 'mean'"):
        MeanIoU(CLASSES, average="mean")
    with pytest.raises(MetricError, match="one name a class"):
        MeanIoU(CLASSES, names=["a"])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # keras' own, with numpy 2
def test_works_in_a_compiled_model_and_comes_back_from_its_file(tmp_path, batch):
    labels, _ = batch
    images = np.random.default_rng(0).normal(size=(3, 6, 7, 3)).astype(np.float32)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        # A float32 head, as every network here has: two programs may round bfloat16 logits at different places.
        head = keras.layers.Conv2D(CLASSES, 3, padding="same", dtype="float32")
        model = keras.Sequential([keras.Input((6, 7, 3)), keras.layers.Activation("tanh"), head])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
        metric = MeanIoU(CLASSES, names="abcde")
        model.compile(keras.optimizers.SGD(0.1, name="sgd"), loss, metrics=[metric])
        history = model.fit(
            images, labels, batch_size=2, epochs=2, verbose=0, shuffle=False, validation_data=(images, labels)
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert set(history.history) == {"loss", "miou", "val_loss", "val_miou"}
    values = model.evaluate(images, labels, batch_size=2, verbose=0, return_dict=True)
    assert values["miou"] == pytest.approx(history.history["val_miou"][-1])
    logits = model.predict(images, verbose=0).astype(np.float32)
    np.testing.assert_array_equal(metric.confusion_matrix(), expected_matrix(labels, logits))
    assert metric.scores().miou == pytest.approx(values["miou"], rel=1e-6)
    assert all("int" in v.dtype for v in metric.variables)

    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.evaluate(images, labels, batch_size=2, verbose=0, return_dict=True)["miou"] == pytest.approx(
        values["miou"]
    )


def test_config_round_trip():
    made = MeanIoU(3, ignore_index=9, average="all", name="mine", names=["a", "b", "c"])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(again) is MeanIoU
    assert again.get_config() == made.get_config()
    assert (again.num_classes, again.ignore_index, again.average, again.name, again.names) == (
        3,
        9,
        "all",
        "mine",
        ["a", "b", "c"],
    )
