"""desertseg augment"""

from __future__ import annotations

import click
from desertseg.cli.options import backend_option
from desertseg.cli.quiet import without_banner


@click.command()
@click.option("--data", required=True, metavar="DIR", help="Folder with frames and masks.")
@click.option("--out", required=True, metavar="FILE", help="The picture to write, .png; an older one is replaced.")
@click.option(
    "--recipe", metavar="NAME|FILE", help="One of `desertseg recipes`, or a TOML file. [default: the default recipe]"
)
@click.option(
    "--set",
    "changes",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change any key of `desertseg recipes --keys`, such as augment.haze=0.5; again for more.",
)
@click.option("--split", default="train", show_default=True, help="Split that the frames are taken from.")
@click.option("--frames", type=click.IntRange(1), default=4, show_default=True, help="Frames, one a row.")
@click.option("--variants", type=click.IntRange(1), default=6, show_default=True, help="Pictures of each frame.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides what is drawn.")
@click.option("--each", is_flag=True, help="Instead of variants: every effect alone, at full probability.")
@backend_option
def augment(
    data: str,
    out: str,
    recipe: str | None,
    changes: tuple[str, ...],
    split: str,
    frames: int,
    variants: int,
    seed: int,
    each: bool,
) -> None:
    """Draw a contact sheet of what a recipe's augmentation makes of frames.

    The first column is the frame as it is loaded. The others are what the training step sees in its first epochs, with
    the labels below each picture and what was drawn for it. With --each there is one column an effect: as strong as
    the recipe has it, or at a usual strength where the recipe leaves it off.

    \b
    Examples:
      desertseg augment --data falcon --out sheet.png
      desertseg augment --recipe desert_best --data falcon --out sheet.png --seed 1
      desertseg augment --recipe desert_best --set augment.haze=1.0 --data falcon --out haze.png
      desertseg augment --data falcon --out effects.png --each --frames 2
    """
    with without_banner():
        from desertseg.engine.augment_sheet import draw_augment_sheet
        from desertseg.engine.recipe import load_recipe, parse_change

    sheet = draw_augment_sheet(
        data,
        out,
        load_recipe(recipe) if recipe else None,
        split=split,
        frames=frames,
        variants=variants,
        seed=seed,
        each=each,
        **dict(parse_change(text) for text in changes),
    )
    count = "1 frame" if len(sheet.frames) == 1 else f"{len(sheet.frames)} frames"
    named = f" --recipe {recipe}" if recipe else ""
    kept = "".join(f" --set {text!r}" if " " in text else f" --set {text}" for text in changes)
    click.echo(f"Wrote {sheet.path}: {count}, {len(sheet.titles) - 1} augmented of each.")
    click.echo(f"Look at it; then train so: desertseg fit{named}{kept} --data {data} --out runs/a")
