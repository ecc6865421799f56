"""The joints of people for the pages: a small file that a page loads from disk, and drawings without a browser."""

import base64
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from mmad.files import write_text
from mmad.pose.bones import bones, joints_of_region
from mmad.records import LandmarkTrack
from mmad.report.unseen import row_extents

HANDS = ("left hand", "right hand")
SIDES = ("middle", "left", "right")
COLOURS = ("#ffffff", "#E69F00", "#56B4E9")  # of those, on a dark ground: Okabe and Ito's
GROUND = "#101010"
MARGIN = 500  # thousandths of a width or height that a joint may lie outside the picture
CONFIDENCE_LEVELS = (0.35, 0.65)  # below the first: faint; from the second on: fully drawn
OPACITY = (0.0, 0.3, 0.6, 1.0)  # of a joint that was not seen, and of the three levels
OVERSAMPLING = 3  # drawings are made this much larger, then scaled down, for smooth lines


def write_joints(path: Path, tracks: list[LandmarkTrack]) -> None:
    """A script that leaves the joints of the people in one video in `mmadJoints`.

    A script, because a page that is opened from disk may not read other files. For each person: `person`, the number;
    `ratio`, width by height of the picture; `start` and `steps`, ms of the first row and from each row to the next;
    `joints`, their number in a row; `rows`, see `encode_rows`; `bones`, see `_lines`.
    """
    content = {
        "sides": COLOURS,
        "opacity": OPACITY,
        "margin": MARGIN,
        "people": [_person(track) for track in tracks],
    }
    write_text(path, f"window.mmadJoints = {json.dumps(content, separators=(',', ':'))};\n")


def _person(track: LandmarkTrack) -> dict:
    lines = _lines(track.layout)
    drawn = sorted({joint for a, b, _, _ in lines for joint in (a, b)})
    place = {joint: index for index, joint in enumerate(drawn)}
    width, height = track.size.tolist()
    ticks = np.round(1000 * track.times).astype(int)
    return {
        "person": track.person,
        "ratio": round(width / height, 4),
        "start": int(ticks[0]),
        "steps": np.diff(ticks).tolist(),
        "joints": len(drawn),
        "rows": encode_rows(track.points[:, drawn], width / height),
        "bones": [[place[a], place[b], side, int(thin)] for a, b, side, thin in lines],
    }


def _lines(layout: str) -> list[tuple[int, int, int, bool]]:
    """Two joints, the index of their side in `SIDES`, and whether the line is thin, as those inside a hand are."""
    hands = {joint for hand in HANDS for joint in joints_of_region(layout, hand)}
    return [(a, b, SIDES.index(side), a in hands and b in hands) for a, b, side in bones(layout)]


def encode_rows(points: np.ndarray, ratio: float) -> str:
    """(T, J, 3) x, y in heights of the picture and confidence -> text, four characters for each joint.

    They are base64 of 24 bits: the level of confidence (2 bits: 0 not seen, 1 to 3 by `CONFIDENCE_LEVELS`), x in
    thousandths of the width and y in thousandths of the height (11 bits each, `MARGIN` added). So a row can be read
    without those before it, and an hour at 15 frames per second takes 4 J x 54,000 bytes. ratio: width by height.
    """
    places = np.nan_to_num(points[..., :2] / (ratio, 1.0))
    ticks = np.round(1000 * places).astype(np.int64) + MARGIN
    inside = ((ticks >= 0) & (ticks < 2048)).all(axis=-1)
    level = np.where((points[..., 2] > 0) & inside, 1 + np.digitize(points[..., 2], CONFIDENCE_LEVELS), 0)
    code = (level << 22) | (ticks[..., 0] << 11) | ticks[..., 1]
    code[level == 0] = 0
    octets = np.stack([code >> 16, code >> 8, code], axis=-1).astype(np.uint8)  # keeps the lowest 8 bits of each
    return base64.b64encode(octets.tobytes()).decode("ascii")


def joint_pictures(tracks: list[LandmarkTrack], duration: float, count: int = 8, height: int = 216) -> np.ndarray:
    """(count, H, W, 3) uint8: the joints in the middles of equal parts of the video, on a dark ground."""
    times = (np.arange(count) + 0.5) * duration / count
    return np.stack([draw_joints(tracks, time, height) for time in times])


def draw_joints(tracks: list[LandmarkTrack], time: float, height: int) -> np.ndarray:
    """(height, W, 3) uint8: the joints of all people at a time in s, as wide as the first person's picture."""
    width, tall = round(height * tracks[0].size[0] / tracks[0].size[1]), height * OVERSAMPLING
    canvas = Image.new("RGB", (width * OVERSAMPLING, tall), GROUND)
    pen = ImageDraw.Draw(canvas, "RGBA")
    for track in tracks:
        row = row_at(track, time)
        for a, b, side, thin in _lines(track.layout) if row is not None else ():
            confidence = min(row[a, 2], row[b, 2])
            if confidence > 0:
                opacity = round(255 * OPACITY[1 + int(np.digitize(confidence, CONFIDENCE_LEVELS))])
                ends = [*(row[a, :2] * tall), *(row[b, :2] * tall)]
                pen.line(ends, (*ImageColor.getrgb(COLOURS[side]), opacity), tall // (150 if thin else 65))
    return np.asarray(canvas.resize((width, height), Image.Resampling.LANCZOS))


def row_at(track: LandmarkTrack, time: float) -> np.ndarray | None:
    """(J, 3) of the row that stands for a time in s; None in a gap."""
    starts, ends = row_extents(track, track.duration)
    at = int(np.searchsorted(starts, time, side="right")) - 1
    return track.points[at] if at >= 0 and time <= ends[at] else None
