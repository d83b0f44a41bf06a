"""A recipe: everything that decides a training, as frozen dataclasses that are read from and written to TOML."""

from desertseg.engine.recipe.errors import RecipeError
from desertseg.engine.recipe.recipe import Recipe, parse_change
from desertseg.engine.recipe.sections import (
    AUTO,
    AboutRecipe,
    AugmentRecipe,
    DataRecipe,
    InferenceRecipe,
    LossRecipe,
    ModelRecipe,
    OptimizerRecipe,
    Section,
    TrainRecipe,
)
from desertseg.engine.recipe.shipped import available_recipes, load_recipe, recipe_text

__all__ = [
    "AUTO",
    "AboutRecipe",
    "AugmentRecipe",
    "DataRecipe",
    "InferenceRecipe",
    "LossRecipe",
    "ModelRecipe",
    "OptimizerRecipe",
    "Recipe",
    "RecipeError",
    "Section",
    "TrainRecipe",
    "available_recipes",
    "load_recipe",
    "parse_change",
    "recipe_text",
]
