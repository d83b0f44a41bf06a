"""TAS500 (Metzger et al., ICPR 2020), https://mucar3.de/icpr2020-tas500/.

    tas500v1.1/train/*.png  val/*.png  test/*.png
    tas500v1.1/train_labels_ids/<same name>.png  val_labels_ids/...     ids, three equal channels

Test masks are withheld.
"""

from __future__ import annotations

from pathlib import Path

from desertseg.data.layouts.layout import Files, Part

NAME = "tas500"


def recognise(folder: Path, children: dict[str, Path]) -> dict[str, Part] | None:
    """Return the parts of a folder that holds train beside train_labels_ids, or val beside val_labels_ids."""
    if not any(f"{split}_labels_ids" in children and split in children for split in ("train", "val")):
        return None
    parts: dict[str, Part] = {}
    for split in ("train", "val", "test"):
        if split in children:
            masks = children.get(f"{split}_labels_ids")
            parts[split] = Part(
                NAME,
                Files(children[split]),
                Files(masks) if masks else None,
                withheld=masks is None and split == "test",
                without_masks=(
                    "the masks of TAS500's test frames are withheld; use the split val"
                    if split == "test"
                    else f"its masks are the folder {split}_labels_ids beside it"
                ),
            )
    return parts
