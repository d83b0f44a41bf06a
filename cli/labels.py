"""desertseg labels"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from desertseg.errors import UserError

if TYPE_CHECKING:
    from desertseg.label_mapping import LabelMapping
    from desertseg.labels import LabelMap


class _Group(click.Group):
    """Takes a word that is no command for the label map to show."""

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(context, args)


@click.group(cls=_Group, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def labels(context: click.Context, as_json: bool) -> None:
    """List the label maps, show one, draft one for own masks, or state how two correspond.

    \b
    Examples:
      desertseg labels
      desertseg labels falcon
      desertseg labels falcon --toml > mine.toml
      desertseg labels new --from my_masks --out mine.toml
      desertseg labels map falcon rugd --out falcon_to_rugd.toml
    """
    if context.invoked_subcommand is not None:
        return
    from desertseg.labels import available_labels, load_labels

    maps = {name: load_labels(name) for name in available_labels()}
    if as_json:
        click.echo(json.dumps([found.to_dict() for found in maps.values()], indent=1))
        return
    wide = max(map(len, maps))
    lines = [f"{'label map':<{wide}}  classes  what it is"]
    lines.append("-" * (len(lines[0]) + 40))
    lines += [f"{name:<{wide}}  {found.num_classes:>7}  {found.description}" for name, found in maps.items()]
    lines += ["", "Show one: desertseg labels NAME; draft an own one: desertseg labels new --from DIR --out mine.toml"]
    click.echo("\n".join(lines))


@labels.command()
@click.argument("name")
@click.option("--toml", is_flag=True, help="Print the TOML file, to start an own map from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, toml: bool, as_json: bool) -> None:
    """Show a label map: a shipped name, or a TOML file. `desertseg labels NAME` does the same."""
    from desertseg.label_text import labels_text
    from desertseg.labels import load_labels

    found = load_labels(name)
    if toml:
        click.echo(labels_text(name), nl=False)
    else:
        click.echo(json.dumps(found.to_dict(), indent=1) if as_json else "\n".join(_describe(found)))


def _describe(found: LabelMap) -> list[str]:
    ids = [", ".join(map(str, c.ids)) for c in found.classes]
    wide, side = max(6, *map(len, ids)), max(4, *map(len, found.names))
    lines = [f"{found.name}: {found.description}" if found.description else found.name]
    lines += [f"{'index':>5}  {'raw id':>{wide}}  {'name':<{side}}  cost  colour"]
    for index, (c, raw) in enumerate(zip(found.classes, ids, strict=True)):
        cost, swatch = "-" if c.cost is None else str(c.cost), click.style("    ", bg=c.color)
        lines.append(f"{index:>5}  {raw:>{wide}}  {c.name:<{side}}  {cost:>4}  {swatch} {', '.join(map(str, c.color))}")
    ignored = ", ".join(map(str, found.ignore)) or "none"
    lines.append(f"Ignored ids: {ignored}; id {found.void} is written where a prediction has no class.")
    return lines


@labels.command()
@click.option("--from", "source", required=True, metavar="DIR", help="A data folder, or a folder of masks alone.")
@click.option("--out", metavar="FILE", help="The TOML file to write. [default: print it]")
@click.option("--name", metavar="NAME", help="What the map is called. [default: that of the file or folder]")
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
def new(source: str, out: str | None, name: str | None, overwrite: bool) -> None:
    """Draft a label map from the ids, or the colours, that masks hold.

    Every id becomes a class with its share of the pixels as a comment, to be named, merged or ignored by hand. A mask
    that cannot be read is reported; the exit code is then 1.
    """
    from desertseg.data.drafting import (
        count_ids,
        describe_found,
        draft_labels,
        find_masks,
        matching_labels,
        suspect_damage,
    )
    from desertseg.terminal import progress_line

    path = _free(out, overwrite)
    masks = find_masks(source)
    with progress_line("read", len(masks), "masks") as line:
        found = count_ids(masks, line.advance)
    name = name or (path.stem if path else Path(source).resolve().name) or "mine"
    text = draft_labels(found, name, source)
    damage = suspect_damage(found)
    if path:
        _write(path, text)
        click.echo("\n".join(describe_found(found)))
        if matching := matching_labels(found):
            click.echo(f"Label maps that know all of them: {', '.join(matching)}; --labels {matching[0]} may do.")
        click.echo(f"Wrote {path}: name its classes, then check it: desertseg labels {path}")
    else:
        click.echo(text, nl=False)
    if damage:
        click.echo(f"careful: {damage}", err=True)
    for _, reason in found.failures:
        click.echo(f"left out: {reason}", err=True)
    if found.failures:
        sys.exit(1)


@labels.command("map")
@click.argument("source", metavar="FROM|FILE")
@click.argument("target", metavar="[TO]", required=False)
@click.option("--out", metavar="FILE", help="The TOML file to write. [default: print it]")
@click.option("--merged", is_flag=True, help="With FILE: the label map to train with on masks of FROM.")
@click.option("--json", "as_json", is_flag=True, help="With FILE: print JSON.")
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
def correspond(source: str, target: str | None, out: str | None, merged: bool, as_json: bool, overwrite: bool) -> None:
    """Draft which class of one label map is which of another, or show and check such a correspondence.

    A model that was trained with FROM is then scored on data with TO. Classes of TO can be merged, and several of FROM
    can be one of TO; every class of FROM has a counterpart or is said to have none. Names alone are compared: read
    what is drafted.

    \b
    Examples:
      desertseg labels map falcon rugd --out falcon_to_rugd.toml
      desertseg labels map falcon_to_rugd.toml
      desertseg evaluate --model runs/a/best.keras --data RUGD --split val --map falcon_to_rugd.toml
      desertseg labels map falcon_to_rugd.toml --merged --out common.toml
      desertseg fit --labels common.toml --data falcon --out runs/common
    """
    if target is not None and (merged or as_json):
        raise click.UsageError("--merged and --json are of a correspondence's FILE; leave TO out")
    path = _free(out, overwrite)
    text, following = _draft(source, target, path) if target else _inspect(source, merged, as_json)
    if path is None:
        click.echo(text, nl=False)
        return
    _write(path, text)
    click.echo(f"Wrote {path}{following.format(path=path)}")


def _draft(source: str, target: str, out: Path | None) -> tuple[str, str]:
    """Return a drafted correspondence, and what to say of its file."""
    from desertseg.labels import load_labels
    from desertseg.mapping_draft import draft_mapping

    folder = (out or Path()).absolute().parent if out else Path.cwd()
    files = [str(_relative(Path(name), folder)) if name.endswith(".toml") else name for name in (source, target)]
    text = draft_mapping(load_labels(source), load_labels(target), *files)
    return text, ": read every line, then check it: desertseg labels map {path}"


def _inspect(file: str, merged: bool, as_json: bool) -> tuple[str, str]:
    """Return a correspondence in words, as JSON, or the label map to train with, and what to say of that file."""
    from desertseg.label_mapping import load_mapping

    mapping = load_mapping(file)
    if merged:
        from desertseg.label_text import labels_toml

        return labels_toml(mapping.merged_source), "; next: desertseg fit --labels {path} --data DIR --out runs/a"
    return json.dumps(mapping.to_dict(), indent=1) + "\n" if as_json else "\n".join(_compare(mapping, file)), ""


def _compare(mapping: LabelMapping, file: str) -> list[str]:
    source, target = mapping.source.name, mapping.target.name
    answers = {name: [a for a, c in mapping.classes.items() if c == name] for name in mapping.scored.names}
    truths = {name: list(mapping.merge.get(name, (name,))) for name in mapping.scored.names}
    wide, side = max(6, *map(len, mapping.scored.names)), max(map(len, map(", ".join, answers.values())))
    side = max(side, len(source) + 9)
    lines = [f"{'scored':<{wide}}  {f'answers: {source}':<{side}}  masks: {target}"]
    lines += [
        f"{name:<{wide}}  {', '.join(answers[name]):<{side}}  {', '.join(truths[name])}"
        for name in mapping.scored.names
    ]
    lines += [f"always a miss where {source} is answered: {', '.join(mapping.unanswered) or 'nothing'}"]
    lines += [f"not scored, of {target}: {', '.join(mapping.unscored) or 'nothing'}"]
    return [*lines, f"Use it: desertseg evaluate --model FILE --data DIR --map {file}", ""]


def _relative(path: Path, folder: Path) -> Path:
    import os

    return Path(os.path.relpath(path.absolute(), folder))


def _free(out: str | None, overwrite: bool) -> Path | None:
    """Return the file to write, None for none.

    Raises:
        UserError: it exists and is not to be replaced, or is no TOML file by its name.
    """
    if out is None:
        return None
    path = Path(out)
    if path.suffix != ".toml":
        raise UserError(f"{path} would not be found as a TOML file again; give a name that ends in .toml")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists; choose another --out, or --overwrite to replace it")
    return path


def _write(path: Path, text: str) -> None:
    from desertseg.files import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; choose another --out") from error
