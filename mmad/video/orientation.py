"""How a stored picture is turned and mirrored to be upright: the eight orientations that a display matrix can mean.

Phones write such a matrix where they are held upright, upside down, or film with the front camera. Numpy only.
"""

from dataclasses import dataclass

import numpy as np

_TURNS = {  # (transposed, flipped_across, flipped_down) -> (mirrored first?, then degrees counter-clockwise)
    (False, False, False): (False, 0),
    (True, False, True): (False, 90),
    (False, True, True): (False, 180),
    (True, True, False): (False, 270),
    (False, True, False): (True, 0),
    (True, False, False): (True, 90),
    (False, False, True): (True, 180),
    (True, True, True): (True, 270),
}


@dataclass(frozen=True)
class Orientation:
    """What makes a stored picture upright: rows and columns change places, then left and right, then top and bottom."""

    transposed: bool = False
    flipped_across: bool = False
    flipped_down: bool = False

    @property
    def mirrored(self) -> bool:
        """Whether left and right change places before the picture is turned by `rotation`."""
        return _TURNS[self.transposed, self.flipped_across, self.flipped_down][0]

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise: 0, 90, 180 or 270."""
        return _TURNS[self.transposed, self.flipped_across, self.flipped_down][1]

    def turned_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the upright picture of a stored one, or of the stored one of an upright one."""
        return (height, width) if self.transposed else (width, height)

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """The (H, W, 3) upright picture of a stored one of (H, W, 3), or of (W, H, 3) where it is transposed."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        if self.flipped_across:
            picture = picture[:, ::-1]
        if self.flipped_down:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


def orientation_of(matrix: np.ndarray) -> Orientation:
    """The orientation nearest to a display matrix of nine numbers, row by row.

    A stored point (x, y), y down, is shown at (x m[0] + y m[3], x m[1] + y m[4]), but for a shift (ISO/IEC 14496-12,
    section 6.2.2). What it says of scale and of other angles is not followed.
    """
    across_x, down_x, across_y, down_y = (int(matrix[place]) for place in (0, 1, 3, 4))
    if abs(across_x) + abs(down_y) >= abs(down_x) + abs(across_y):
        return Orientation(False, across_x < 0, down_y < 0)
    return Orientation(True, across_y < 0, down_x < 0)
