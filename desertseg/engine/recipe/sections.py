"""The sections of a recipe: types carry ranges and choices, docstrings the meaning; `recipes --keys` prints both."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, get_type_hints

from desertseg.engine.recipe.values import (
    Amount,
    Amounts,
    Choice,
    Count,
    Degrees,
    Factors,
    Keys,
    Limits,
    NotEmpty,
    Positive,
    PositiveInt,
    Probability,
    Share,
    Shares,
    check_value,
)

AUTO = "auto"


@dataclass(frozen=True)
class Section:
    """A section; its values are checked however it is made."""

    section: ClassVar[str]

    def __post_init__(self) -> None:
        for name, hint in hints_of(type(self)).items():
            object.__setattr__(self, name, check_value(getattr(self, name), hint, f"{self.section}.{name}"))


def hints_of(section: type[Section]) -> dict[str, Any]:
    """Return key -> type with its annotations."""
    hints = get_type_hints(section, include_extras=True)
    return {f.name: hints[f.name] for f in dataclasses.fields(section)}


@dataclass(frozen=True)
class AboutRecipe(Section):
    """What there is to say about a recipe; it changes nothing.

    Attributes:
        description: one line.
        score: what to expect, as its source reported it and how its metric was coded; "not measured" where nobody has.
        cost: hours on which machine, or parameters and operations.
        source: who made it.
    """

    section = "about"
    description: str = ""
    score: str = ""
    cost: str = ""
    source: str = ""


@dataclass(frozen=True)
class DataRecipe(Section):
    """Which pixels the network sees.

    Attributes:
        labels: label map: a shipped name or a TOML file; "auto" is that of the data's layout, else falcon.
        size: training size [height, width].
        resize: how a frame is fitted into the size; letterbox keeps its shape and fills with ignore.
        balance: 0 shows every frame once an epoch; up to 1, frames with rare classes are drawn more often.
    """

    section = "data"
    labels: str = AUTO
    size: tuple[PositiveInt, PositiveInt] = (192, 320)
    resize: Annotated[str, Choice(("letterbox", "stretch"))] = "letterbox"
    balance: Share = 0.0


@dataclass(frozen=True)
class ModelRecipe(Section):
    """The network by its names in the zoo, and what it starts from.

    Attributes:
        name: an architecture or a network of `desertseg models`; "auto" is the one that the weights are of, else
            deeplabv3plus.
        backbone: its name in the zoo; "auto" is the one that the weights are of, else the network's usual one.
        output_stride: input pixels a deep feature pixel, 8, 16 or 32; 0 is the weights' or the network's own.
        weights: file, folder or preset to start from; "" starts from random weights.
        open_blocks: how many of the backbone's last blocks are trained; 0 freezes it, "all" trains it whole; "auto"
            freezes DINOv2 and trains the others.
        options: those of the network and the backbone, by the names of their constructors.
    """

    section = "model"
    name: str = AUTO
    backbone: str = AUTO
    output_stride: Count = 0
    weights: str = ""
    open_blocks: Count | Annotated[str, Choice(("auto", "all"))] = AUTO
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LossRecipe(Section):
    """What is minimised.

    Attributes:
        name: a loss, or a sum such as "0.5*cross_entropy(label_smoothing=0.1) + 0.5*dice".
        class_weights: from the training masks' pixel counts by a scheme's name, or a list, one weight a class in the
            label map's order; they act on the pixel losses (a term may say weighted=true or false).
        class_weight_cap: largest weight; 0 is no limit.
        auxiliary_weight: weight of the auxiliary head's loss, where the network has such a head.
    """

    section = "loss"
    name: str = "focal_dice"
    class_weights: Annotated[str, Choice(("none", "inverse", "enet", "median", "effective"))] | list[Amount] = "none"
    class_weight_cap: Amount = 0.0
    auxiliary_weight: Amount = 0.4


@dataclass(frozen=True)
class OptimizerRecipe(Section):
    """How weights are updated; weight decay spares norms and biases.

    Attributes:
        name: the optimiser; adamw decays weights apart from the gradient.
        learning_rate: its highest value, after the warm-up.
        momentum: that of sgd.
        weight_decay: its strength, for sgd and adamw.
        groups: learning rates of their own for encoder, decoder and head; the others take learning_rate.
        layer_decay: factor from one block of the encoder to the one before it; 1 is none.
        schedule: how the learning rate falls after the warm-up.
        per: whether the schedule moves every step or every epoch.
        warmup_epochs: first epochs, in which the learning rate rises linearly.
        final_learning_rate: value at which poly, cosine and one_cycle end; groups end in proportion.
        step_epochs: after so many epochs the schedule "step" multiplies the learning rate by step_factor.
        step_factor: see step_epochs.
        power: exponent of the schedule "poly".
        clip_norm: the largest norm of all gradients together; 0 is no limit.
        ema_decay: decay of the exponential moving average of the weights, which is validated beside them; 0 keeps none.
    """

    section = "optimizer"
    name: Annotated[str, Choice(("sgd", "adam", "adamw"))] = "adamw"
    learning_rate: Positive = 2e-3
    momentum: Annotated[float, Limits(0, 0.9999, what="it lies in 0..0.9999")] = 0.9
    weight_decay: Amount = 0.01
    groups: Annotated[dict[str, Amount], Keys(("encoder", "decoder", "head"))] = field(default_factory=dict)
    layer_decay: Annotated[float, Limits(0, 1, above=True, what="it lies above 0 and up to 1")] = 1.0
    schedule: Annotated[str, Choice(("constant", "step", "poly", "cosine", "one_cycle"))] = "cosine"
    per: Annotated[str, Choice(("step", "epoch"))] = "step"
    warmup_epochs: Amount = 2.0
    final_learning_rate: Amount = 0.0
    step_epochs: PositiveInt = 20
    step_factor: Annotated[float, Limits(0, 1, above=True, what="it lies above 0 and up to 1")] = 0.1
    power: Positive = 0.9
    clip_norm: Amount = 0.0
    ema_decay: Annotated[float, Limits(0, 0.999999, what="it lies in 0..0.999999")] = 0.0


@dataclass(frozen=True)
class AugmentRecipe(Section):
    """What is drawn for every training frame; `desertseg augment` shows it. Pairs are [smallest, largest].

    Attributes:
        flip: probability of left and right swapped.
        vertical_flip: probability of up and down swapped.
        rotate: largest angle to either side, in degrees.
        scale: zoom; at 1 the whole frame fits the training size, at 2 the crop shows half of its height and width.
        shear: largest angle to either side, in degrees.
        aspect: width stretched against height.
        rare_crop: probability that the crop is centred on a pixel of a rare class.
        brightness: factor of all colours.
        contrast: factor about mid grey.
        saturation: factor; 0 would be grey.
        hue: largest turn to either side, in degrees.
        gamma: exponent of all colours.
        color: probability that these five act on a frame.
        blur: probability of a Gaussian blur.
        blur_sigma: width of the blur, in pixels of the training size.
        noise: probability of Gaussian noise.
        noise_std: its standard deviation, of 255.
        clahe: probability of local histogram equalisation.
        clahe_clip: its limit of contrast.
        shadow: probability of a cast shadow.
        haze: probability of dust or haze.
        glare: probability of a low sun's glare.
        tint: probability that the ground takes another colour.
        shadow_strength: share of the light that the shadow takes.
        haze_strength: share of the haze's colour, far away.
        glare_strength: share of white, at its middle.
        tint_strength: share of the other colour.
        cutmix: probability that a box of another frame of the batch is put in.
        copy_paste: probability that another frame's rare classes are put in.
        rare_classes: their names; empty: those with less than 2 % of the labelled pixels.
    """

    section = "augment"
    flip: Probability = 0.5
    vertical_flip: Probability = 0.0
    rotate: Degrees = 0.0
    scale: Factors = (0.75, 1.5)
    shear: Annotated[float, Limits(0, 60, what="it is the largest slant, 0 to 60 degrees")] = 0.0
    aspect: Factors = (1.0, 1.0)
    rare_crop: Probability = 0.0
    brightness: Amounts = (1.0, 1.0)
    contrast: Amounts = (1.0, 1.0)
    saturation: Amounts = (1.0, 1.0)
    hue: Degrees = 0.0
    gamma: Factors = (1.0, 1.0)
    color: Probability = 1.0
    blur: Probability = 0.0
    blur_sigma: Factors = (0.3, 1.5)
    noise: Probability = 0.0
    noise_std: Amounts = (2.0, 12.0)
    clahe: Probability = 0.0
    clahe_clip: Factors = (1.0, 4.0)
    shadow: Probability = 0.0
    haze: Probability = 0.0
    glare: Probability = 0.0
    tint: Probability = 0.0
    shadow_strength: Shares = (0.3, 0.7)
    haze_strength: Shares = (0.1, 0.5)
    glare_strength: Shares = (0.2, 0.6)
    tint_strength: Shares = (0.1, 0.4)
    cutmix: Probability = 0.0
    copy_paste: Probability = 0.0
    rare_classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainRecipe(Section):
    """Length, batches, and what is kept.

    Attributes:
        epochs: passes over the training frames.
        batch_size: frames a step, on all devices together.
        accumulate: steps whose gradients make one update.
        seed: decides weights, order and augmentation.
        mixed_precision: compute in bfloat16, keep float32 weights.
        frozen_epochs: first epochs with the whole backbone closed; then model.open_blocks holds.
        patience: epochs without a better monitor after which training stops; 0 never stops.
        monitor: validation score by which the best is judged: "miou", "pixel_accuracy", "loss", "iou:NAME" ...
        keep: how many of the best models are kept.
        save_steps: steps between two states to resume from; 0 writes one at every epoch's end alone.
        log: loggers beside history.csv and history.json.
        deterministic: the same bits on a GPU as well, at some cost; a CPU gives them anyway.
    """

    section = "train"
    epochs: PositiveInt = 40
    batch_size: PositiveInt = 8
    accumulate: PositiveInt = 1
    seed: Count = 0
    mixed_precision: bool = False
    frozen_epochs: Count = 0
    patience: Count = 0
    monitor: str = "miou"
    keep: PositiveInt = 1
    save_steps: Count = 100
    log: list[Annotated[str, Choice(("tensorboard", "wandb", "mlflow"))]] = field(default_factory=list)
    deterministic: bool = False


@dataclass(frozen=True)
class InferenceRecipe(Section):
    """Test-time augmentation, used where `evaluate` and `predict` are asked for it; probabilities are averaged.

    Attributes:
        scales: factors of the input's size.
        flip: also look at the mirrored picture.
    """

    section = "inference"
    scales: Annotated[list[Positive], NotEmpty()] = field(default_factory=lambda: [1.0])
    flip: bool = False
