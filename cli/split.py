"""desertseg split"""

from __future__ import annotations

from typing import Any

import click
from desertseg.cli.frames import choose_labels
from desertseg.cli.options import overwrite_option

from desertseg.files import check_folder


@click.command()
@click.argument("data", metavar="DIR")
@click.option("--out", required=True, metavar="DIR", help="Folder of lists to make; it stands for DIR from then on.")
@click.option("--val", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.2, show_default=True)
@click.option(
    "--by",
    type=click.Choice(["auto", "scene", "block"]),
    default="auto",
    show_default=True,
    help="What stays together: a drive, or consecutive frames of one; auto: drives where there are enough.",
)
@click.option("--block", type=click.IntRange(1), metavar="N", help="Frames of a block. [default: as the classes need]")
@click.option(
    "--gap", type=click.IntRange(0), default=0, show_default=True, help="Frames left out beside each val block."
)
@click.option("--drop-twins", is_flag=True, help="Leave out of train what is nearly a frame of val.")
@click.option("--labels", metavar="MAP", help="A shipped label map or a TOML file. [default: as the layout tells]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides between equally good ones.")
@overwrite_option
def split(data: str, out: str, labels: str | None, overwrite: bool, **options: Any) -> None:
    """Cut a folder anew into train and val, by scene or by contiguous block, with every class on both sides.

    Frames of train and val are pooled; a test split is left alone. No file is copied or moved: OUT holds train.txt and
    val.txt, and is given as --data in place of DIR. The same options make the same lists. In the end it is told how
    many val frames still have a near twin in train, by a perceptual hash.

    \b
    Examples:
      desertseg split falcon --out lists
      desertseg split falcon --out lists --by block --gap 5 --drop-twins
      desertseg fit --data lists --out runs/a
    """
    from desertseg.data.split_folder import describe_split, hash_frames, pool_frames, write_split
    from desertseg.data.splitting import plan_split
    from desertseg.data.statistics import index_classes
    from desertseg.terminal import progress_line

    check_folder(out, overwrite)
    label_map, note = choose_labels(labels, data)
    click.echo(note)
    frames, own = pool_frames(data)
    with progress_line("read masks", len(frames), "masks") as line:
        counts = index_classes(frames, label_map, progress=line.advance).counts
    with progress_line("compare images", len(frames), "images") as line:
        hashes = hash_frames(frames, line.advance)
    found = plan_split(frames, counts, hashes, **options)
    worth = describe_split(found, frames, own, counts, hashes, label_map)
    values = {"labels": label_map.name, "options": options, **worth}
    chosen = ", ".join(f"{key} {value}" for key, value in options.items() if value is not None)
    remarks = [f"{worth['frames']['train']} train, {worth['frames']['val']} val, by {found.by}; {chosen}"]
    write_split(out, data, found, frames, values, remarks, overwrite=overwrite)
    click.echo("\n".join(_tell(values)))
    click.echo(f"Wrote {out}; next: desertseg fit --data {out} --out runs/a")


def _tell(values: dict[str, Any]) -> list[str]:
    """Return the lines that say what a split is worth."""
    amount, twins = values["frames"], values["twins"]
    share = amount["val"] / (amount["val"] + amount["train"])
    kept = sum(group["side"] == "val" for group in values["groups"])
    out = f", {amount['left_out']:,} left out" if amount["left_out"] else ""
    width = max(len("class"), *(len(c["name"]) for c in values["classes"]))
    lines = [
        f"Cut by {values['by']}: {amount['train']:,} train, {amount['val']:,} val ({100 * share:.1f} %){out}; "
        f"val is {kept} of {len(values['groups'])} {values['by']}s",
        "",
        f"{'class':<{width}}  train %    val %  of it in val  frames train    val",
    ]
    lines.append("-" * len(lines[-1]))
    for c in values["classes"]:
        shares = f"{100 * c['share_train']:7.3f}  {100 * c['share_val']:7.3f}"
        found = f"{100 * c['of_it_in_val']:10.1f} %" if c["frames_train"] or c["frames_val"] else f"{'absent':>12}"
        lines.append(f"{c['name']:<{width}}  {shares}  {found}  {c['frames_train']:>12,}  {c['frames_val']:>5,}")
    lines += ["-" * len(lines[3])]
    for name, side in values["one_sided"]:
        lines.append(f"{name} is in {side} alone; a shorter --block may change that, or it stands in one place only")
    before = "" if twins["share_before"] is None else f"{100 * twins['share_before']:.1f} % in the old split, "
    lines += [
        f"Near twins: {twins['val_frames']:,} of {amount['val']:,} val frames ({100 * twins['share']:.1f} %) look "
        "almost like one of train",
        f"  ({before}{100 * twins['share_if_random']:.1f} % if drawn at random; by a hash of 64 bits, "
        f"{twins['bits']} of which may differ)",
    ]
    if twins["nearest"] and twins["val_frames"]:
        pair = twins["nearest"][0]
        lines.append(
            f"  the nearest: {pair[0]} and {pair[1]}; to leave fewer: --drop-twins, a wider --gap, a longer --block"
        )
    return lines
