"""What is in a data set, or in two side by side: lines for a terminal, and a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from desertseg.errors import plural
from desertseg.report import summary_plots as plots
from desertseg.report.document import (
    NONE,
    Bar,
    Block,
    Cell,
    Code,
    Column,
    Document,
    Facts,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    count,
    number,
    percent,
    share,
)

Values = Mapping[str, Any]
_CHANNELS = ("red", "green", "blue")
_SHOWN_SCENES = 12
_SCHEMES = {
    "inverse": "one over a class's share of the pixels",
    "enet": "1 / ln(1.02 + share): no weight is more than 50 times another (ENet)",
    "median": "median frequency balancing: a class that stands in few frames is not punished for the others",
    "effective": "by the effective number of pixels (Cui et al.): milder between common classes",
}


def summary_lines(values: Values) -> list[str]:
    """Return what stats.json holds as lines for a terminal."""
    data = values["data"]
    lines = [line for one in data for line in _head(one)] + [""]
    rows = _both(*data) if len(data) == 2 else _alone(data[0])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    table = [
        "  ".join(
            f"{text:<{w}}" if i == 0 else f"{text:>{w}}" for i, (text, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = "-" * len(table[0])
    lines += [table[0], rule, *table[1:], rule]
    return lines + ([*shift_sentences(values)] if len(data) == 2 else [])


def _head(one: Values) -> list[str]:
    scenes = [f"{scene['name'] or '(no name)'} {scene['frames']:,}" for scene in one["scenes"]]
    more = f" and {len(scenes) - _SHOWN_SCENES} more" if len(scenes) > _SHOWN_SCENES else ""
    color = one["color"]
    rgb = ", ".join(
        f"{name} {m:.1f} ± {s:.1f}" for name, m, s in zip(_CHANNELS, color["mean"], color["std"], strict=True)
    )
    return [
        f"{one['title']}: {plural(one['frames'], 'frame')} of {_sizes(one)}, {one['pixels']:,} labelled pixels, "
        f"{share(_ignored(one))} ignored",
        f"  scenes: {', '.join(scenes[:_SHOWN_SCENES])}{more}",
        f"  colour, 0 to 255: {rgb}",
    ]


def _sizes(one: Values) -> str:
    found = [f"{s['width']}x{s['height']}" for s in one["sizes"]]
    return found[0] if len(found) == 1 else f"{len(found)} sizes, mostly {found[0]}"


def _ignored(one: Values) -> float:
    return one["ignored"] / max(1, one["ignored"] + one["pixels"])


def _alone(one: Values) -> list[list[str]]:
    schemes = list(one["weights"])
    rows = [["class", "pixels %", "frames %", "regions", "a frame", "specks %", "median", "largest", *schemes]]
    for i, c in enumerate(one["classes"]):
        if not c["pixels"]:
            rows.append([c["name"], "absent", *[""] * (6 + len(schemes))])
            continue
        row = [c["name"], f"{100 * c['share']:.3f}", f"{100 * c['frame_share']:.1f}", count(c["regions_visible"])]
        row += [f"{c['regions_visible'] / c['frames']:.1f}", f"{100 * c['specks'] / c['regions']:.0f}"]
        row += [count(c["region_median"]), count(c["region_largest"])]
        rows.append(row + [_weight(one["weights"][scheme][i]) for scheme in schemes])
    return rows


def _weight(value: float) -> str:
    return f"{value:.3f}" if value < 100 else f"{value:.0f}"


def _both(first: Values, second: Values) -> list[list[str]]:
    rows = [["class", "pixels % A", "B", "B / A", "frames % A", "B", "median region A", "B"]]
    for a, b in zip(first["classes"], second["classes"], strict=True):
        shares = [f"{100 * c['share']:.3f}" if c["pixels"] else "absent" for c in (a, b)]
        frames = [f"{100 * c['frame_share']:.1f}" for c in (a, b)]
        rows.append([a["name"], *shares, _ratio(a, b), *frames, *(count(c["region_median"]) for c in (a, b))])
    return rows


def _ratio(a: Values, b: Values) -> str:
    if not a["share"] or not b["share"]:
        return NONE
    ratio = b["share"] / a["share"]
    return f"{ratio:.2f}" if ratio >= 0.01 else f"1/{1 / ratio:,.0f}"


def shift_sentences(values: Values) -> list[str]:
    """Return in sentences how the second data set differs from the first."""
    (first, second), shift = values["data"], values["shift"]
    lines = [f"A: {first['title']}; B: {second['title']}."]
    lines.append(
        f"Classes: {percent(shift['distance'])} of B's pixels would have to change class to give the shares of A."
    )
    for key, title in (("only_in_first", "A"), ("only_in_second", "B")):
        if shift[key]:
            lines.append(f"Only in {title}: {', '.join(shift[key])}.")
    if {(s["height"], s["width"]) for s in first["sizes"]} != {(s["height"], s["width"]) for s in second["sizes"]}:
        lines.append("The frames differ in size, so regions, which are told in pixels, do not compare directly.")
    told = ", ".join(f"{name} {move:+.2f}" for name, move in zip(_CHANNELS, shift["color"], strict=True))
    lines.append(f"Colour: the means of B lie off those of A, in standard deviations of A's pixels, by {told}.")
    return lines


def compose_summary(values: Values, folder: Path) -> Document:
    """Return the page of one or two data sets; its pictures lie in `folder`."""
    data = values["data"]
    parts = [Part("Pictures" if len(data) == 1 else "Side by side", "pictures", _pictures(values, folder))]
    parts += [_part(one, f"data-{i}") for i, one in enumerate(data, 1)]
    if values.get("command"):
        parts[-1] = Part(
            parts[-1].title,
            parts[-1].key,
            [*parts[-1].sections, Section("How it was made", "how", [Code("Command", values["command"])])],
            parts[-1].lead,
        )
    if len(data) == 1:
        return Document(f"What is in {data[0]['title']}", _subtitle(data[0]), [parts[1], parts[0]])
    title = f"{data[0]['title']} against {data[1]['title']}"
    lead: list[Block] = [*map(Prose, shift_sentences(values)), _compare(*data)]
    return Document(title, "What is in two data sets, side by side", parts, lead)


def _subtitle(one: Values) -> str:
    scenes = plural(len(one["scenes"]), "scene")
    return f"{plural(one['frames'], 'frame')} of {_sizes(one)}, {scenes}, label map {one['labels']}"


def _color(one: Values, index: int) -> tuple[int, int, int]:
    red, green, blue = one["label_map"]["classes"][index]["color"]
    return red, green, blue


def _compare(first: Values, second: Values) -> Table:
    columns = [Column("class", number=False), Column("pixels, A"), Column("", number=False), Column("pixels, B")]
    columns += [Column("", number=False), Column("B / A"), Column("frames, A"), Column("frames, B")]
    columns += [Column("median region, A"), Column("B")]
    rows = []
    for i, (a, b) in enumerate(zip(first["classes"], second["classes"], strict=True)):
        color = _color(first, i)
        cells = [Cell(a["name"], color=color)]
        for c in (a, b):
            cells += [Cell(share(c["share"]) if c["pixels"] else "absent"), Cell(bar=Bar(c["share"], color))]
        cells += [Cell(_ratio(a, b)), *(Cell(percent(c["frame_share"])) for c in (a, b))]
        rows.append(cells + [Cell(count(c["region_median"])) for c in (a, b)])
    return Table("Classes of both, as shares of the labelled pixels and of the frames", columns, rows, dense=True)


def _pictures(values: Values, folder: Path) -> list[Section]:
    every = "; of two data sets" if len(values["data"]) == 2 else ""
    found = (
        ("Shares", plots.SHARES, "Bars: each class's share of the pixels, on a logarithmic scale", ""),
        ("Where in the picture", plots.PLACES, f"Maps of where each class lies in the picture{every}", _PLACES),
        ("Sizes of regions", plots.REGIONS, f"Map of the classes by the size of their regions{every}", _REGIONS),
        ("Scenes", plots.SCENES, "Bars: the classes' shares in each scene", ""),
        ("In one frame", plots.TOGETHER, "Table: which classes stand in one frame", _TOGETHER),
        ("Colours", plots.COLORS, f"Histograms of red, green and blue{every}", ""),
    )
    return [
        Section(title, path.removesuffix(".png"), [Picture(folder / path, alt, caption)])
        for title, path, alt, caption in found
    ]


_PLACES = "Each map is of one class: the darker, the more of its pixels lie there, its fullest cell being the darkest."
_REGIONS = "Dark to the right: the class comes in large pieces. Dark to the left: it is scattered in specks."
_TOGETHER = "Of the frames that have the class of the row, how many per cent also have that of the column."


def _part(one: Values, key: str) -> Part:
    sections = [
        Section("Classes", "classes", [_facts(one), _classes(one)]),
        Section("Scenes", "scenes", [_scenes(one)]),
        Section("Class weights", "weights", _weights(one)),
    ]
    if one["failures"]:
        rows = [[Cell(file), Cell(reason)] for file, reason in one["failures"]]
        columns = [Column("file", number=False), Column("why", number=False)]
        title = f"Left out: {plural(len(rows), 'file')}"
        sections.insert(0, Section(title, "failures", [Table("Files that were left out", columns, rows)]))
    return Part(one["title"], key, sections)


def _facts(one: Values) -> Facts:
    color = one["color"]
    sizes = [f"{s['width']}x{s['height']} ({s['frames']:,})" for s in one["sizes"]]
    rows = [
        ("frames", count(one["frames"])),
        ("width x height (frames)", ", ".join(sizes[:8]) + (f" and {len(sizes) - 8} more" if len(sizes) > 8 else "")),
        ("labelled pixels", count(one["pixels"])),
        ("ignored", f"{count(one['ignored'])} pixels, {share(_ignored(one))}"),
        ("frames without a labelled pixel", ", ".join(one["all_ignored"][:8]) or "none"),
        ("label map", one["labels"]),
    ]
    for key, name in (("mean", "mean"), ("std", "standard deviation")):
        told = ", ".join(f"{c} {value:.2f} ({value / 255:.4f})" for c, value in zip(_CHANNELS, color[key], strict=True))
        rows.append((f"colour, {name}, of 255 (of 1)", told))
    return Facts("What was counted", rows)


def _classes(one: Values) -> Table:
    columns = [Column("class", number=False), Column("pixels"), Column("share"), Column("", number=False)]
    columns += [Column(t) for t in ("frames with it", "share there", "regions", "a frame", "specks", "median region")]
    columns += [Column("half its pixels in regions from"), Column("largest"), Column("height in the picture")]
    rows = []
    for i, c in enumerate(one["classes"]):
        cells = [Cell(c["name"], color=_color(one, i)), Cell(count(c["pixels"])), Cell(share(c["share"]), strong=True)]
        cells += [Cell(bar=Bar(c["share"], _color(one, i))), Cell(percent(c["frame_share"]))]
        cells += [Cell(share(c["share_where_present"])), Cell(count(c["regions_visible"]))]
        cells.append(Cell(number(c["regions_visible"] / c["frames"] if c["frames"] else None, 1)))
        cells.append(Cell(percent(c["specks"] / c["regions"] if c["regions"] else None, 0)))
        cells += [Cell(count(c[k])) for k in ("region_median", "region_half_of_pixels", "region_largest")]
        height = c["height"]
        cells.append(Cell("–".join(f"{100 * height[q]:.0f}" for q in ("10", "90")) + " %" if height else NONE))
        rows.append(cells)
    caption = (
        "Classes. Regions are connected pieces of 16 pixels or more, smaller ones are specks; sizes in pixels; height: "
        "where 80 % of its pixels lie, 0 % being the upper edge"
    )
    return Table(caption, columns, rows, dense=True)


def _scenes(one: Values) -> Table:
    columns = [Column("scene", number=False), Column("frames")]
    columns += [Column(c["name"], color=_color(one, i)) for i, c in enumerate(one["classes"])]
    rows = []
    for scene in one["scenes"]:
        cells = [Cell(scene["name"] or "(no name)"), Cell(count(scene["frames"]))]
        for part, some in zip(scene["shares"], scene["frames_with"], strict=True):
            cells.append(Cell(share(part) if some else NONE, heat=part))
        rows.append(cells)
    return Table("Each scene's pixels by class; a dash where it has none of it", columns, rows, dense=True)


def _weights(one: Values) -> list[Block]:
    if not one["weights"]:
        return [Prose("No pixel is labelled, so there are no weights.")]
    columns = [Column("class", number=False), *(Column(scheme) for scheme in one["weights"])]
    rows = []
    for i, c in enumerate(one["classes"]):
        weights = [Cell(_weight(found[i])) for found in one["weights"].values()]
        rows.append([Cell(c["name"], color=_color(one, i)), *weights])
    text = 'Mean 1 over the classes that occur. A recipe takes them as loss.class_weights = "enet", with '
    text += "class_weight_cap for the largest; counted over these frames."
    return [Table("Class weights by each scheme", columns, rows), Facts("Schemes", list(_SCHEMES.items())), Prose(text)]
