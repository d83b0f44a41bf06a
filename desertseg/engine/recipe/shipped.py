"""Recipes as files: the shipped ones by name, any other by path."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from desertseg.engine.recipe.errors import RecipeError
from desertseg.engine.recipe.recipe import Recipe
from desertseg.errors import suggest
from desertseg.files import list_shipped
from desertseg.toml import TomlError, parse_toml, read_text


def available_recipes() -> list[str]:
    """Return the names of the shipped recipes, sorted."""
    return list_shipped(_folder(), ".toml")


def recipe_text(recipe: str | Path) -> str:
    """Return the TOML of a shipped recipe by name, or of a file, comments and all.

    Raises:
        RecipeError: no such name or file.
    """
    path: Path | Traversable = Path(recipe)
    if Path(recipe).suffix != ".toml" and not Path(recipe).exists():
        names = available_recipes()
        if str(recipe) not in names:
            near = suggest(str(recipe), names)
            raise RecipeError(f"no recipe '{recipe}'{near}; shipped are {', '.join(names)}, or give a TOML file")
        path = _folder() / f"{recipe}.toml"
    try:
        return read_text(path)
    except TomlError as error:
        raise RecipeError(f"recipe {recipe} cannot be read: {error}") from error


def load_recipe(recipe: str | Path) -> Recipe:
    """Return a recipe from a shipped name ("desert_best") or the path of a TOML file.

    Raises:
        RecipeError: no such name or file, not TOML, or not a recipe.
    """
    text = recipe_text(recipe)
    try:
        data = parse_toml(text)
    except TomlError as error:
        raise RecipeError(f"recipe {recipe} cannot be read: {error}") from error
    return Recipe.from_dict(data, source=str(recipe))


def _folder() -> Traversable:
    return resources.files("desertseg") / "engine" / "recipes"
