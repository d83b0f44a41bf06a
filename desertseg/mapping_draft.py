"""Drafting a correspondence between two label maps from the names of their classes, for a person to finish."""

from __future__ import annotations

import re

from desertseg.label_mapping import NONE
from desertseg.labels import LabelMap
from desertseg.toml import quote, quote_key

# Words for one thing, the commonest first; a class is what its last word says: "Lush Bushes" are bushes.
_SYNONYMS = (
    ("tree", "forest", "tree crown", "tree trunk", "trunk"),
    ("bush", "shrub", "scrub", "hedge"),
    ("grass", "meadow", "straw"),
    ("flower", "crop"),
    ("vegetation", "plant", "foliage"),
    ("ground", "natural ground", "landscape", "terrain", "dirt", "soil", "earth"),
    ("sand", "gravel", "mulch", "mud"),
    ("trail", "road", "path", "track"),
    ("rock", "stone", "boulder", "rock bed", "rubble"),
    ("log", "wood", "debris"),
    ("clutter", "leaves"),
    ("water", "puddle"),
    ("vehicle", "car", "truck", "bus"),
    ("person", "human", "rider"),
    ("building", "wall", "structure"),
    ("pole", "sign"),
    ("object", "obstacle"),
)
_GROUND = {word for group in _SYNONYMS if group[0] in ("ground", "sand") for word in group}
# A wider word for what a map has no word of its own for, tried last.
_WIDER = {
    "tree": ("vegetation",),
    "bush": ("vegetation", "tree", "forest"),
    "grass": ("vegetation", "ground"),
    "flower": ("vegetation", "grass"),
    "rock": ("obstacle", "object"),
    "log": ("obstacle", "object"),
    "ground": ("sand", "trail"),
    "sand": ("ground",),
    "clutter": ("ground",),
}


def guess_counterparts(source: LabelMap, target: LabelMap) -> dict[str, tuple[str, str]]:
    """Return for each class of `source` (the class of `target` that it is likely to be, how it was found).

    How it was found is "" for the same name, else a word or two of warning. Without a likely one it is "ignore".
    """
    words = {_normalise(name): name for name in reversed(target.names)}
    found = {}
    for name in source.names:
        own = _normalise(name)
        if own in words:
            found[name] = (words[own], "")
            continue
        head = own.split(" ")[-1]
        near = _same_head(head, target) or _synonym(head, words) or _synonym(own, words)
        wider = next((words[w] for w in _wider(head) if w in words), None)
        found[name] = (near, "guessed") if near else (wider, "guessed, wider") if wider else (NONE, "none is alike")
    return found


def draft_mapping(source: LabelMap, target: LabelMap, source_file: str = "", target_file: str = "") -> str:
    """Return a correspondence as commented TOML, valid as it stands unless no class has a likely counterpart.

    Args:
        source, target: the maps.
        source_file, target_file: what the file is to call them, where that is not their name.
    """
    found = guess_counterparts(source, target)
    used = {counterpart for counterpart, _ in found.values()}
    rest = [name for name in target.names if name not in used]
    lines = [
        f"# A model that answers in the classes of {source.name}, scored on masks of {target.name}. Drafted from the",
        "# classes' names: read every line before you trust a number that comes of it.",
        f'# A class that has no counterpart is "{NONE}": where the model answers so, it has missed.',
        f"# Classes of {target.name} that stand nowhere below are left out of the score:",
        *_wrap(rest or ["none"]),
        f"from = {quote(source_file or source.name)}",
        f"to = {quote(target_file or target.name)}",
        "",
        "# Classes of `to` that are scored as one, under a new name that then stands below [classes]:",
        "[merge]",
        _example(target),
        "",
        "[classes]",
    ]
    wide = max(len(quote_key(name)) + len(quote(counterpart)) for name, (counterpart, _) in found.items()) + 3
    for name, (counterpart, how) in found.items():
        line = f"{quote_key(name)} = {quote(counterpart)}"
        lines.append(f"{line:<{wide}}  # {how}" if how else line)
    return "\n".join(lines) + "\n"


def _normalise(name: str) -> str:
    """Return a name in lower case, its words apart and singular: "Dry_Bushes" -> "dry bush"."""
    return " ".join(_singular(word) for word in re.findall(r"[^\W\d_]+", name.lower()))


def _singular(word: str) -> str:
    if word in ("leaves", "grass", "bus"):
        return word
    if word.endswith(("shes", "ches", "xes", "sses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us")) else word


def _same_head(head: str, target: LabelMap) -> str | None:
    """Return the class of fewest words that is the same thing, as "high grass" is grass."""
    alike = [name for name in target.names if _normalise(name).split(" ")[-1] == head]
    return min(alike, key=lambda name: len(name.split()), default=None)


def _synonym(word: str, words: dict[str, str]) -> str | None:
    group = next((group for group in _SYNONYMS if word in group), ())
    return next((words[other] for other in group if other in words), None)


def _wider(word: str) -> list[str]:
    """Return the wider words for a word or for its commonest synonym, each with its own synonyms."""
    first = next((group[0] for group in _SYNONYMS if word in group), word)
    found = []
    for wider in _WIDER.get(first, ()):
        found += next((list(group) for group in _SYNONYMS if wider in group), [wider])
    return found


def _example(target: LabelMap) -> str:
    """Return a line that shows how to merge, of the kinds of ground where there are some: maps differ most in those."""
    ground = [name for name in target.names if _normalise(name) in _GROUND]
    name, members = ("ground", ground) if len(ground) > 1 else ("both", list(target.names[:2]))
    return f"# {name} = [{', '.join(quote(member) for member in members)}]"


def _wrap(names: list[str]) -> list[str]:
    lines, line = [], "#  "
    for i, name in enumerate(names):
        word = f" {name}{',' if i < len(names) - 1 else ''}"
        if len(line) + len(word) > 110:
            lines.append(line)
            line = "#  "
        line += word
    return [*lines, line]
