"""People for tests: one that was rendered by this package, and made-up ones as an estimator would find them."""

from pathlib import Path

import numpy as np
from PIL import Image

from mmad.pose.estimated_people import empty_people, person_of

GREY = 110


def picture(*people: tuple[float, int, int], size: tuple[int, int] = (270, 324)) -> np.ndarray:
    """(H, W, 3) uint8: a rendered person who sits and raises the left hand, in a grey picture, as often as wanted.

    people: scale, left, top of each; the first size at scale 1 is 270 x 324. size: width, height.
    """
    canvas = Image.new("RGB", size, (GREY, GREY, GREY))
    with Image.open(Path(__file__).with_name("person.jpg")) as original:
        for scale, left, top in people:
            resized = original.resize((round(scale * original.width), round(scale * original.height)))
            canvas.paste(resized, (left, top))
    return np.array(canvas)


def made_up(x: float, y: float = 0.4, size: float = 0.2, presence: float = 1.0) -> np.ndarray:
    """A PERSON, shape (): the middle of the shoulders at x, y, the nose one size above, all joints below it in rows."""
    body = np.empty((33, 3))
    body[:, 0] = x
    body[:, 1] = y + size * np.linspace(0.1, 3, 33)
    body[:11, 1] = y - size
    body[11:13, :2] = [[x + size / 2, y], [x - size / 2, y]]
    body[23:25, :2] = [[x + size / 3, y + size], [x - size / 3, y + size]]
    body[:, 2] = 0.9
    return person_of(body, np.full(33, presence))


def contact(body, transforms, side: str, reach) -> np.ndarray:
    """(T,) distance of the tip of a rendered hand to the landmark of its target, metres, including gap and offset."""
    point, _ = body.skin_at(transforms, body.landmark(reach.to, side))
    return np.linalg.norm(transforms.apply(*body.hands[side].tips[reach.tip]) - point, axis=1)


def rows_of(*columns: list[float | None], **settings) -> np.ndarray:
    """(T, P) PERSON: in each column, somebody at these x, or nobody where it is None."""
    rows = empty_people(len(columns[0]), len(columns))
    for column, places in enumerate(columns):
        for row, x in enumerate(places):
            if x is not None:
                rows[row, column] = made_up(x, **settings)
    return rows
