"""desertseg recipes"""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from desertseg.cli.quiet import without_banner

if TYPE_CHECKING:
    from desertseg.engine.recipe.keys import Key
    from desertseg.engine.recipe.listing import RecipeRow


@click.command()
@click.argument("name", required=False)
@click.option("--keys", is_flag=True, help="Document every key: type, range, default, meaning.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with NAME, all keys with their values.")
def recipes(name: str | None, keys: bool, as_json: bool) -> None:
    """List the shipped recipes with the score to expect, their cost and their source, or print one.

    A printed recipe is a TOML file to start an own one from; keys that it leaves out have their defaults.

    \b
    Examples:
      desertseg recipes
      desertseg recipes desert_best > mine.toml
      desertseg recipes --keys
      desertseg fit --recipe desert_best --set train.epochs=5 --data falcon --out runs/a
    """
    if name is not None and keys:
        raise click.UsageError("--keys documents the keys of all recipes; leave NAME out")
    with without_banner():
        from desertseg.engine.recipe import load_recipe, recipe_text
        from desertseg.engine.recipe.keys import describe_sections, list_keys
        from desertseg.engine.recipe.listing import list_recipes

    if name is not None:
        text = json.dumps(load_recipe(name).to_dict(), indent=1) if as_json else recipe_text(name).rstrip("\n")
    elif keys:
        found = list_keys()
        text = json.dumps([asdict(k) for k in found], indent=1) if as_json else _document(found, describe_sections())
    else:
        rows = list_recipes()
        text = json.dumps([asdict(row) for row in rows], indent=1) if as_json else _list(rows)
    click.echo(text)


def _list(rows: list[RecipeRow]) -> str:
    """Return two lines a recipe: the training, and what comes of it at what cost."""
    wide, side = (max(len(getattr(row, name)) for row in rows) for name in ("name", "network"))
    lines = [f"{'recipe':<{wide}}  {'network':<{side}}  {'size':>7}  epochs  source"]
    lines.append("-" * (len(lines[0]) + 22))
    for row in rows:
        size = f"{row.size[0]}x{row.size[1]}"
        lines.append(f"{row.name:<{wide}}  {row.network:<{side}}  {size:>7}  {row.epochs:>6}  {row.source}")
        lines.append(f"{'':<{wide}}  score {row.score}; {row.cost}")
    lines += ["", "Cost: parameters, and operations of the whole training on Falcon's 2857 frames; scores as reported."]
    lines += ["Train one: desertseg fit --recipe NAME --data DIR --out runs/a; read it: desertseg recipes NAME"]
    return "\n".join(lines)


def _document(keys: list[Key], sections: dict[str, str]) -> str:
    width = min(110, shutil.get_terminal_size().columns)
    lines: list[str] = []
    for section, about in sections.items():
        lines += ["", f"[{section}]  {about}"]
        for key in (k for k in keys if k.name.startswith(f"{section}.")):
            rule = f"{key.kind}; {key.allowed}" if key.allowed else key.kind
            lines.append(f"  {key.name.partition('.')[2]} = {key.default}  ({rule})")
            lines += textwrap.wrap(key.meaning, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines[1:])
