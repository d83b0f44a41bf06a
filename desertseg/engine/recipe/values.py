"""What a value of a recipe may be: its type as a hint, its range or choices as the hint's annotation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from desertseg.engine.recipe.errors import RecipeError
from desertseg.errors import suggest


@dataclass(frozen=True)
class Limits:
    """Smallest and largest value; `above` excludes the smallest itself. `what` is said of a value outside."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    what: str = ""

    def check(self, value: Any, where: str) -> None:
        if value > self.high or value < self.low or (self.above and value == self.low):
            raise RecipeError(f"{where} is {value}; {self.what}")

    def describe(self) -> str:
        if self.high < math.inf:
            return f"{'above ' * self.above}{self.low:g} to {self.high:g}"
        return f"above {self.low:g}" if self.above else f"{self.low:g} or more"


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def check(self, value: Any, where: str) -> None:
        if value not in self.words:
            raise RecipeError(f"{where} is '{value}'{suggest(value, self.words)}; it is one of {', '.join(self.words)}")

    def describe(self) -> str:
        return ", ".join(self.words)


@dataclass(frozen=True)
class Ordered:
    """A pair (smallest, largest)."""

    def check(self, value: Any, where: str) -> None:
        if value[0] > value[1]:
            raise RecipeError(f"{where} is {list(value)}; it is [smallest, largest]")

    def describe(self) -> str:
        return "[smallest, largest]"


@dataclass(frozen=True)
class Keys:
    """A table whose keys are some words."""

    words: tuple[str, ...]

    def check(self, value: Any, where: str) -> None:
        for key in value:
            if key not in self.words:
                raise RecipeError(
                    f"unknown key '{where}.{key}'{suggest(key, self.words)}; keys are {', '.join(self.words)}"
                )

    def describe(self) -> str:
        return f"keys {', '.join(self.words)}"


@dataclass(frozen=True)
class NotEmpty:
    """A list with something in it."""

    def check(self, value: Any, where: str) -> None:
        if not value:
            raise RecipeError(f"{where} is empty; give at least one value")

    def describe(self) -> str:
        return "at least one"


_POSITIVE = Limits(0, above=True, what="it must be positive")
_COUNT = Limits(0, what="it must be 0 or more")
_SHARE = Limits(0, 1, what="it lies in 0..1")

PositiveInt = Annotated[int, _POSITIVE]
Positive = Annotated[float, _POSITIVE]
Count = Annotated[int, _COUNT]
Amount = Annotated[float, _COUNT]
Share = Annotated[float, _SHARE]
Probability = Annotated[float, Limits(0, 1, what="a probability lies in 0..1")]
Degrees = Annotated[float, Limits(0, 180, what="it is the largest angle, 0 to 180 degrees")]
Factors = Annotated[tuple[Positive, Positive], Ordered()]
Amounts = Annotated[tuple[Amount, Amount], Ordered()]
Shares = Annotated[tuple[Share, Share], Ordered()]


def check_value(value: Any, hint: Any, where: str) -> Any:
    """Return `value` as the type that `hint` names; an int serves as a float, a list as a tuple and a tuple as a list.

    Raises:
        RecipeError: it is of another type, or outside of what the hint's annotation allows.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        value = check_value(value, arguments[0], where)
        for rule in arguments[1:]:
            rule.check(value, where)
        return value
    if origin in (Union, UnionType):
        return _check_union(value, hint, where)
    if origin in (tuple, list):
        return _check_sequence(value, hint, where)
    if origin is dict:
        if not isinstance(value, dict) or not all(isinstance(k, str) for k in value):
            raise _wrong(value, hint, where)
        return {k: check_value(v, arguments[1], f"{where}.{k}") for k, v in value.items()}
    if hint is Any:
        return _plain(value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _wrong(value, hint, where)
    if hint is float and not math.isfinite(value):
        raise _wrong(value, hint, where)
    return value


def describe_hint(hint: Any, plural: bool = False) -> str:
    """Return a hint in the user's words: "a whole number", "a list of 2 numbers", "a table of numbers"."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return describe_hint(arguments[0], plural)
    if origin in (Union, UnionType):
        return " or ".join(describe_hint(a, plural) for a in arguments)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"{'lists' if plural else 'a list'} of {len(arguments)} {describe_hint(arguments[0], True)}"
    if origin in (tuple, list):
        return f"{'lists' if plural else 'a list'} of {describe_hint(arguments[0], True)}"
    if origin is dict:
        return f"{'tables' if plural else 'a table'} of {describe_hint(arguments[1], True)}"
    one, many = _WORDS[hint]
    return many if plural else one


def rules_of(hint: Any) -> list[str]:
    """Return what the annotations of a hint allow, in words; those of a list's or table's values among them."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return [*rules_of(arguments[0]), *(rule.describe() for rule in arguments[1:])]
    found = [text for argument in arguments if argument is not Ellipsis for text in rules_of(argument)]
    return list(dict.fromkeys(found))


_WORDS: dict[Any, tuple[str, str]] = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a string", "strings"),
    bool: ("true or false", "true or false"),
    Any: ("any value", "values"),
}


def _check_union(value: Any, hint: Any, where: str) -> Any:
    """Return the value as that one of the types which is of its kind, so that the error is that type's own."""
    for kind in get_args(hint):
        bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        python = (list, tuple) if get_origin(bare) in (list, tuple) else (bare,)
        if isinstance(value, python) and not isinstance(value, bool):
            return check_value(value, kind, where)
    raise _wrong(value, hint, where)


def _check_sequence(value: Any, hint: Any, where: str) -> Any:
    kinds = get_args(hint)
    if not isinstance(value, (list, tuple)):
        raise _wrong(value, hint, where)
    if get_origin(hint) is list:
        return [check_value(v, kinds[0], f"{where}[{i}]") for i, v in enumerate(value)]
    if kinds[-1] is Ellipsis:
        return tuple(check_value(v, kinds[0], f"{where}[{i}]") for i, v in enumerate(value))
    if len(value) != len(kinds):
        raise _wrong(value, hint, where)
    return tuple(check_value(v, kind, f"{where}[{i}]") for i, (v, kind) in enumerate(zip(value, kinds, strict=True)))


def _plain(value: Any, where: str) -> Any:
    """Return a value of a free table as TOML gives it back."""
    if isinstance(value, (list, tuple)):
        return [_plain(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, dict):
        return {str(k): _plain(v, f"{where}.{k}") for k, v in value.items()}
    if not isinstance(value, (str, int, float, bool)):
        raise RecipeError(f"{where} is {value!r}; TOML has strings, numbers, true and false, lists and tables")
    return value


def _wrong(value: Any, hint: Any, where: str) -> RecipeError:
    shown = list(value) if isinstance(value, tuple) else value
    return RecipeError(f"{where} is {shown!r}; expected {describe_hint(hint)}")
