"""Putting tensors into variables: all of them, each once, or none and a message that says what does not fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from desertseg.models.errors import ModelError
from desertseg.models.weights.layout import Assignment, Tensors, weighted_layers

# PyTorch's counter of steps, which only a cumulative average would use.
_COUNTERS = r".*\.num_batches_tracked"


@dataclass
class Plan:
    """What would be assigned, and everything that speaks against it.

    Attributes:
        values: (variable, array of its shape).
        used: names of the tensors that found a home.
        excused: tensor -> why it needs no home.
        classifiers: (Assignment, shape in the file) of those with other classes.
        problems: kind of mismatch -> its cases.
    """

    values: list[tuple[Any, np.ndarray]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    excused: dict[str, str] = field(default_factory=dict)
    classifiers: list[tuple[Assignment, tuple[int, ...]]] = field(default_factory=list)
    problems: dict[str, list[str]] = field(default_factory=dict)

    def note(self, kind: str, case: str) -> None:
        self.problems.setdefault(kind, []).append(case)


def make_plan(
    target: keras.Model,
    tensors: Tensors,
    assignments: Iterable[Assignment],
    excused: Mapping[str, str],
    left: Iterable[str] = (),
    *,
    restart: bool = False,
) -> Plan:
    """Return what would be assigned; nothing is.

    Args:
        target: whose variables are to be filled.
        tensors: the checkpoint.
        assignments: which tensor belongs where.
        excused: regular expression of tensor names that need no home -> why.
        left: regular expressions of the target's layers that need no tensor.
        restart: treat the classifier as one with another class count.
    """
    plan, counts = Plan(), Counter[str]()
    filled = set()
    for assignment in assignments:
        counts.update(assignment.tensors)
        filled.add(id(assignment.variable))
        _place(plan, assignment, tensors, restart)
    plan.used = set(counts) & set(tensors)
    for name, count in counts.items():
        if count > 1 and name in tensors:
            plan.note("used twice", name)
    for name in tensors:
        if name not in counts:
            reason = _reason(name, {_COUNTERS: "", **excused})
            if reason is None:
                plan.note("unexpected", name)
            elif reason:
                plan.excused[name] = reason
    for layer in weighted_layers(target):
        if not any(re.fullmatch(pattern, layer.name) for pattern in left):
            for variable in layer.weights:
                if id(variable) not in filled:
                    plan.note("without a tensor", f"{layer.name}/{variable.name}")
    return plan


def _place(plan: Plan, assignment: Assignment, tensors: Tensors, restart: bool) -> None:
    missing = [name for name in assignment.tensors if name not in tensors]
    for name in missing:
        plan.note("missing", name)
    if missing:
        return
    arrays = [tensors[name] for name in assignment.tensors]
    expected = tuple(assignment.variable.shape)
    value: np.ndarray | None
    try:
        value = assignment.convert(*arrays)
    except ValueError:  # a transposition or concatenation that these shapes do not allow
        value = None
    if value is not None and value.shape == expected and not (restart and assignment.classifier):
        plan.values.append((assignment.variable, value))
    elif value is not None and assignment.classifier and value.shape[:-1] == expected[:-1]:
        plan.classifiers.append((assignment, value.shape))
    else:
        shapes = ", ".join(str(a.shape) for a in arrays)
        plan.note("wrong shape", f"{', '.join(assignment.tensors)} {shapes} for {assignment.variable.path} {expected}")


def _reason(name: str, excused: Mapping[str, str]) -> str | None:
    return next((reason for pattern, reason in excused.items() if re.fullmatch(pattern, name)), None)


def apply_plan(plan: Plan, target: keras.Model) -> None:
    """Assign every value, and give the classifiers with other classes fresh random weights."""
    for variable, value in plan.values:
        variable.assign(np.array(value))  # a copy: JAX may go on sharing the memory of what it is given
    fresh = {id(assignment.variable) for assignment, _ in plan.classifiers}
    for layer in weighted_layers(target):
        for variable in layer.weights:
            if id(variable) in fresh:
                initializer = layer.bias_initializer if variable.name == "bias" else layer.kernel_initializer
                variable.assign(initializer(variable.shape, dtype=variable.dtype))


def refuse(plan: Plan, subject: str, advice: str, most: int = 3) -> None:
    """Raise what speaks against the plan, in one line; return when nothing does.

    Raises:
        ModelError: missing, unexpected, wrongly shaped tensors, or variables left over.
    """
    if not plan.problems:
        return
    parts = []
    for kind, cases in plan.problems.items():
        more = f" and {len(cases) - most} more" if len(cases) > most else ""
        parts.append(f"{len(cases)} {kind}: {'; '.join(cases[:most])}{more}")
    raise ModelError(f"{subject} does not fit, and nothing was loaded: {' | '.join(parts)}; {advice}")
