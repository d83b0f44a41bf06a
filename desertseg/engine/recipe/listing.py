"""The shipped recipes as rows of a list."""

from __future__ import annotations

from dataclasses import dataclass

from desertseg.engine.recipe.sections import AUTO
from desertseg.engine.recipe.shipped import available_recipes, load_recipe


@dataclass(frozen=True)
class RecipeRow:
    """A shipped recipe: what it trains, for how long, and what [about] says of it."""

    name: str
    description: str
    network: str
    size: tuple[int, int]
    epochs: int
    score: str
    cost: str
    source: str


def list_recipes() -> list[RecipeRow]:
    """Return a row for every shipped recipe, sorted by name."""
    return [_row(name) for name in available_recipes()]


def _row(name: str) -> RecipeRow:
    recipe = load_recipe(name)
    about, model = recipe.about, recipe.model
    network = model.name if model.backbone == AUTO else f"{model.name} on {model.backbone}"
    size, epochs = recipe.data.size, recipe.train.epochs
    return RecipeRow(name, about.description, network, size, epochs, about.score, about.cost, about.source)
