"""What a test reads from a picture that was drawn: the words of an SVG, the colours of a PNG."""

import re
from pathlib import Path

import numpy as np
from PIL import Image


def text_of(path: Path) -> list[str]:
    """What a person reads in an SVG, in the order in which it is drawn."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def share_of(path: Path, colour: str) -> float:
    """The share of a picture that has the colour "#RRGGBB"."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return float((pixels == [int(colour[at : at + 2], 16) for at in (1, 3, 5)]).all(axis=2).mean())
