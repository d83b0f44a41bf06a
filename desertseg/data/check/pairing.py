"""What the names of files tell: what has no partner or two, strays, folders in folders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from desertseg.data.check.findings import DROP, ERROR, NOTE, RENAME, WARNING, Files, Finding, Repair
from desertseg.data.check.gather import Gathered
from desertseg.data.folders import Frame
from desertseg.errors import plural


def check_pairing(found: Gathered) -> tuple[list[Finding], list[Repair]]:
    """Return what is wrong with names and folders, and how a copy mends it."""
    findings, repairs = [], []
    maskless, expected = Files(), Files()
    renamed = _match_renamed(found) if found.layout in ("falcon", "folders") else {}
    for split, frame in found.frames():
        if frame.mask is None:
            fault = split not in found.maskless and _has_masks(found, split)
            (maskless if fault else expected).add(found.relative(frame.image))
            if fault and (split, frame.name) not in renamed:
                repairs.append(Repair(DROP, frame.image, "it has no mask"))
    alone = Files()
    for _, _, path in found.masks_alone:
        alone.add(found.relative(path))
        if path not in renamed.values():
            repairs.append(Repair(DROP, path, "it has no image"))
    repairs += [
        Repair(RENAME, mask, "so that it is named as its image", f"{Path(name).name}{mask.suffix}")
        for (_, name), mask in renamed.items()
    ]
    findings += _single_findings(maskless, alone, renamed)
    findings += _split_findings(found)
    doubles = Files()
    for _, paths in found.doubles:
        doubles.add(found.relative(paths[0]), f"and {', '.join(p.name for p in paths[1:])}")
        repairs += [Repair(DROP, path, "its name stands more than once") for path in paths]
    findings += doubles.finding(
        ERROR,
        "double-name",
        f"{plural(doubles.count, 'name')} stand for more than one file, so it is not known which one is meant",
        "keep one file of each name",
        fixable=True,
    )
    return findings + _folder_findings(found), repairs


def _has_masks(found: Gathered, split: str) -> bool:
    return any(f.mask for f in found.splits[split]) or any(s == split for s, _, _ in found.masks_alone)


def _single_findings(maskless: Files, alone: Files, renamed: dict[tuple[str, str], Path]) -> list[Finding]:
    hint = ""
    if renamed:
        (_, name), mask = next(iter(renamed.items()))
        hint = f"; {len(renamed):,} masks are only named otherwise, as {mask.name} for {Path(name).name}: rename them"
    findings = maskless.finding(
        ERROR,
        "no-mask",
        f"{plural(maskless.count, 'image')} without a mask of the same stem",
        f"add the masks, or remove the images{hint}",
        fixable=True,
    )
    return findings + alone.finding(
        ERROR,
        "no-image",
        f"{plural(alone.count, 'mask')} without an image of the same stem",
        f"add the images, or remove the masks{hint}",
        fixable=True,
    )


def _split_findings(found: Gathered) -> list[Finding]:
    """Tell of splits without any masks; so is it with images alone, and with a test split whose masks are kept back."""
    findings = []
    for split, lacks in found.lacking.items():
        message = f"split {split or 'of all frames'} lacks {lacks}"
        findings.append(Finding(ERROR, "lacking", message, "fetch what is missing (desertseg datasets tells where)"))
    for split, frames in found.splits.items():
        if frames and not _has_masks(found, split):
            what = f"split {split}" if split else "the folder"
            severity = NOTE if split == "test" or split in found.maskless else WARNING
            message = f"{what} has {plural(len(frames), 'image')} and no masks: for predict alone"
            fix = "nothing, if that is meant; else give the folder that holds both, images and masks"
            findings.append(Finding(severity, "no-masks", message, fix, count=len(frames)))
        elif split in found.maskless and any(f.mask is None for f in frames):
            bare, of = sum(f.mask is None for f in frames), f" of split {split}" if split else ""
            message = f"{bare:,} of {len(frames):,} images{of} have no mask, as is usual in this data set"
            findings.append(Finding(NOTE, "no-masks", message, "nothing to do: they are passed over", count=bare))
    return findings


def _folder_findings(found: Gathered) -> list[Finding]:
    findings = []
    if found.root in found.base.parents:
        below = found.base.relative_to(found.root)
        depth = len(below.parts)
        message = f"the data set lies {plural(depth, 'folder')} down, in {below}"
        findings.append(
            Finding(NOTE, "nested", message, f"nothing to do; other programs want {found.base}", fixable=True)
        )
    strays = Files()
    for path in found.strays:
        strays.add(found.relative(path))
    findings += strays.finding(
        NOTE,
        "strays",
        f"{plural(strays.count, 'file')} among the frames without an image's suffix, passed over",
        "nothing to do",
    )
    if "" in found.splits and _has_masks(found, ""):
        kept = "fit holds out the last fifth of every scene as val"
        fix = "make lists (desertseg split)" if found.uncut else "nothing to do, or make lists (desertseg split)"
        message = f"there are no splits: {found.uncut or kept}"
        findings.append(Finding(WARNING if found.uncut else NOTE, "no-splits", message, fix))
    return findings


def _match_renamed(found: Gathered) -> dict[tuple[str, str], Path]:
    """Return (split, frame) -> the mask that is named as it but for a prefix and a suffix that several share.

    Pairs of equal number are never made by their order: that would shift all masks by one where one is missing.
    """
    bare: dict[tuple[str, str], Frame] = {(s, f.name): f for s, f in found.frames() if f.mask is None}
    places: dict[str, list[tuple[str, str]]] = {}
    for key in bare:
        places.setdefault(key[0], []).append(key)
    affixes: Counter[tuple[str, str]] = Counter()
    for split, name, _ in found.masks_alone[:200]:
        for _, frame in places.get(split, ()):
            start, middle, end = name.partition(frame)
            if middle and (start or end) and "/" not in start + end:
                affixes[start, end] += 1
    if not affixes:
        return {}
    (start, end), _ = affixes.most_common(1)[0]
    matched = {}
    for split, name, path in found.masks_alone:
        fits = name.startswith(start) and name.endswith(end)
        frame = name[len(start) : len(name) - len(end)] if fits else ""
        if (split, frame) in bare:
            matched[split, frame] = path
    return matched
