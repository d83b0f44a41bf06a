"""A loss from what a recipe says of it: an expression over named losses, and class weights."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras

from desertseg.engine.recipe import LossRecipe, RecipeError
from desertseg.errors import suggest
from desertseg.losses import (
    OHEM,
    BoundaryCrossEntropy,
    CrossEntropy,
    Dice,
    Focal,
    FocalDice,
    LossError,
    LovaszSoftmax,
    RegionLoss,
    Tversky,
    WeightedSum,
    class_weights,
)
from desertseg.weighting import WeightingError

LOSSES: dict[str, Callable[..., keras.losses.Loss]] = {
    "cross_entropy": CrossEntropy,
    "focal": Focal,
    "dice": Dice,
    "focal_dice": FocalDice,
    "ohem": OHEM,
    "tversky": Tversky,
    "lovasz": LovaszSoftmax,
    "boundary": BoundaryCrossEntropy,
}
_NOT_OPTIONS = {
    "class_weights",
    "ignore_index",
    "name",
}  # of every loss; the recipe sets the first, the label map the rest
_EXAMPLE = "0.5*cross_entropy(label_smoothing=0.1) + 0.5*dice"


@dataclass(frozen=True)
class Term:
    """One weighted loss of an expression.

    Attributes:
        weight: its share of the sum.
        name: a key of `LOSSES`.
        options: of its constructor.
        weighted: whether the recipe's class weights act on it.
    """

    weight: float
    name: str
    options: dict[str, float | int]
    weighted: bool


def build_loss(recipe: LossRecipe, num_classes: int, counts: Any = None) -> keras.losses.Loss:
    """Return the loss that a recipe describes: one of `desertseg.losses`, or a `WeightedSum` of several.

    Args:
        recipe: its `name` is a loss, or a sum of losses with weights and options such as
            "0.5*cross_entropy(label_smoothing=0.1) + 0.5*dice". Its class weights act on the losses over pixels
            (cross_entropy, focal, ohem, boundary) and on focal_dice; on the losses over regions only where the term
            says so, "dice(weighted=true)". weighted=false keeps them from any term.
        num_classes: of the label map.
        counts: labelled pixels of the training masks, integers (C,), or (N, C) by frame as class weights "median" need
            them; used only where `needs_counts(recipe)`.

    Raises:
        RecipeError: no such expression, loss or option, class weights that do not fit; the message says the nearest
            right one.
    """
    terms = parse_loss(recipe.name)
    weights = _weights(recipe, terms, num_classes, counts)
    losses = []
    for term in terms:
        try:
            losses.append(LOSSES[term.name](**term.options, class_weights=weights if term.weighted else None))
        except LossError as error:
            raise RecipeError(f"loss.name '{recipe.name}': {term.name}: {error}") from error
    if len(terms) == 1 and terms[0].weight == 1:
        return losses[0]
    return WeightedSum(losses, [term.weight for term in terms], name="loss")


def needs_counts(recipe: LossRecipe) -> bool:
    """Return whether `build_loss` needs the training masks' pixel counts.

    Raises:
        RecipeError: as `build_loss` does of a wrong expression, but before anything is counted.
    """
    _check_weighted(recipe, parse_loss(recipe.name))
    return isinstance(recipe.class_weights, str) and recipe.class_weights != "none"


def parse_loss(expression: str) -> list[Term]:
    """Return the terms of a loss expression: a sum of losses by name, times numbers, with keyword options.

    Raises:
        RecipeError: anything else in it; the message says what, and the nearest loss or option.
    """
    try:
        tree = ast.parse(" ".join(expression.split()), mode="eval").body  # line breaks mean nothing
        terms = _Reader(expression).read(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(
            f"loss.name '{expression}' is no expression; write a loss or a sum such as {_EXAMPLE}"
        ) from error
    if not any(term.weight for term in terms):
        raise RecipeError(f"loss.name '{expression}' has no term with a weight above 0")
    return terms


class _Reader:
    """Reads the syntax tree of one expression; nothing of it is ever evaluated."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def read(self, node: ast.expr, weight: float = 1.0) -> list[Term]:
        """Return the terms of a node, all multiplied by `weight`."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.read(node.left, weight) + self.read(node.right, weight)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            left, right = _number(node.left), _number(node.right)
            if left is not None and right is None:
                return self.read(node.right, weight * left)
            if right is not None and left is None:
                return self.read(node.left, weight * right)
            raise self._refuse(f"multiplies '{ast.unparse(node)}'; one side is a number and the other a loss")
        if isinstance(node, ast.Name):
            return [self._term(node.id, {}, weight)]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.args or any(keyword.arg is None for keyword in node.keywords):
                raise self._refuse(f"gives '{ast.unparse(node)}' an option without a name; write option=value")
            options: dict[str, ast.expr] = {}
            for keyword in node.keywords:
                if keyword.arg in options:
                    raise self._refuse(f"gives {node.func.id} the option '{keyword.arg}' twice")
                options[str(keyword.arg)] = keyword.value
            return [self._term(node.func.id, options, weight)]
        if _number(node) is not None:
            raise self._refuse(f"adds the number {ast.unparse(node)}; multiply a loss by it")
        raise self._refuse(f"has '{ast.unparse(node)}'; it may have losses, numbers >= 0, +, * and options")

    def _term(self, name: str, options: dict[str, ast.expr], weight: float) -> Term:
        if name not in LOSSES:
            raise self._refuse(
                f"names '{name}', which is no loss{suggest(name, LOSSES)}; losses are {', '.join(LOSSES)}"
            )
        known = {*inspect.signature(LOSSES[name]).parameters} - _NOT_OPTIONS
        values: dict[str, float | int] = {}
        weighted = not _is_region_loss(name)
        for key, node in options.items():
            if key == "weighted":
                weighted = self._truth(name, node)
            elif key not in known:
                raise self._refuse(
                    f"gives {name} '{key}'{suggest(key, [*known, 'weighted'])}; "
                    f"its options are {', '.join([*sorted(known), 'weighted'])}"
                )
            else:
                number = _number(node)
                if number is None:
                    raise self._refuse(f"sets {name}'s {key} to '{ast.unparse(node)}'; give a number >= 0")
                values[key] = number
        return Term(float(weight), name, values, weighted)

    def _truth(self, name: str, node: ast.expr) -> bool:
        text = ast.unparse(node)
        if text.lower() not in ("true", "false"):
            raise self._refuse(f"sets {name}'s weighted to '{text}'; it is true or false")
        return text.lower() == "true"

    def _refuse(self, what: str) -> RecipeError:
        return RecipeError(f"loss.name '{self.expression}' {what}")


def _number(node: ast.expr) -> float | int | None:
    """Return the value of a number, or of a product of numbers; None of anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value if math.isfinite(node.value) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = _number(node.left), _number(node.right)
        return None if left is None or right is None else left * right
    return None


def _is_region_loss(name: str) -> bool:
    kind = LOSSES[name]
    return isinstance(kind, type) and issubclass(kind, RegionLoss)


def _check_weighted(recipe: LossRecipe, terms: Iterable[Term]) -> None:
    """Raise a RecipeError if the recipe has class weights that would act on nothing."""
    if recipe.class_weights != "none" and not any(term.weighted for term in terms):
        raise RecipeError(
            f"loss.class_weights is {recipe.class_weights!r}, but no term of '{recipe.name}' takes them; say so of "
            "one, such as dice(weighted=true), or set class_weights to none"
        )


def _weights(recipe: LossRecipe, terms: Iterable[Term], num_classes: int, counts: Any) -> list[float] | None:
    """Return the recipe's class weights, None for equal ones."""
    given, cap = recipe.class_weights, recipe.class_weight_cap
    _check_weighted(recipe, terms)
    if given == "none":
        return None
    if not isinstance(given, str):
        if len(given) != num_classes:
            raise RecipeError(
                f"loss.class_weights has {len(given)} weights for {num_classes} classes; give one a class"
            )
        return [min(float(w), cap) if cap else float(w) for w in given]
    if counts is None:
        raise ValueError(f"class weights '{given}' are made from pixel counts")
    try:
        weights = class_weights(counts, given, cap)
    except WeightingError as error:
        raise RecipeError(f"loss.class_weights: {error}") from error
    if len(weights) != num_classes:
        raise ValueError(f"{len(weights)} counts for {num_classes} classes")
    return weights
