"""People in the files of other tools: who of one frame is who of the next, and the joints of the chosen one.

These files hold the joints of each frame, of any layout, and at best a tool's own identities. People that our own pose
estimators found are tracked by `mmad/pose/estimated_people.py`, which relies on more than joints.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmad.errors import InputError

FARTHEST = 0.5  # most that a person moves from one frame to the next, sizes
LONGEST = 1.0  # longest absence of a person who is still tracked by position, s
COMING_BACK = 1.0  # largest distance between where a person leaves and returns, sizes
CONSIDERED = 8  # people joined from their pieces beyond the chosen one, before they are sorted by size
COMMON = 3  # joints that two poses must share to be compared joint by joint


@dataclass(eq=False)
class Piece:
    """A person tracked without interruption. rows: the frames. members: the index of the person in each frame."""

    rows: list[int] = field(default_factory=list)
    members: list[int] = field(default_factory=list)
    weight: float = 0.0  # sum over its frames of size times confidence

    def add(self, row: int, member: int, pose: np.ndarray) -> None:
        self.rows.append(row)
        self.members.append(member)
        self.weight += float(sizes_of(pose[None])[0] * pose[:, 2].mean())


def choose_person(
    people: list[np.ndarray], identities: list[list] | None, times: np.ndarray, person: int, place: str | Path
) -> np.ndarray:
    """The joints of one person: (T, J, 3), NaN and confidence 0 where the person is absent.

    people: for each of T frames the joints (P, J, 3) of those in it; those without any joint are nobody. identities:
    ids of these, where a tool tracked them; otherwise they are tracked by position. person: 0 is the largest over time
    (size times confidence), 1 the next. `InputError` at `place` if there are not so many.
    """
    points = np.full((len(people), *people[0].shape[1:]), (np.nan, np.nan, 0), dtype=np.float32)
    present = [np.flatnonzero((frame[..., 2] > 0).any(axis=-1)) for frame in people]
    if all(len(members) <= 1 for members in present):  # always the same person, however far apart
        persons = [_row_and_member(present)] if any(map(len, present)) else []
    else:
        tracked = identities is not None and _distinct(identities)
        pieces = _by_identity(people, present, identities) if tracked else _by_position(people, present, times)
        persons = _persons(pieces, people, person + CONSIDERED)
    if person and person >= len(persons):
        raise InputError(place, f"person {person} was asked for of {len(persons)}", "the largest is 0, the next 1")
    for row, member in persons[person] if persons else []:
        points[row] = people[row][member]
    return points


def sizes_of(poses: np.ndarray) -> np.ndarray:
    """Diagonal of the box around the joints that are seen: (P, J, 3) -> (P,); 0 if none is."""
    seen = poses[..., 2:] > 0
    least = np.where(seen, poses[..., :2], np.inf).min(axis=1)
    most = np.where(seen, poses[..., :2], -np.inf).max(axis=1)
    return np.linalg.norm(np.where(most >= least, most - least, 0), axis=-1)


def distances(poses1: np.ndarray, poses2: np.ndarray) -> np.ndarray:
    """Distance of people in sizes of the larger one: (A, J, 3), (P, J, 3) -> (A, P); infinite for nobody.

    The mean distance of common joints, or the distance of the centres where there are fewer than COMMON.
    """
    common = (poses1[:, None, :, 2] > 0) & (poses2[None, :, :, 2] > 0)  # (A, P, J)
    between = np.linalg.norm(poses1[:, None, :, :2] - poses2[None, :, :, :2], axis=-1)
    joints = np.where(common, between, 0).sum(axis=-1) / np.maximum(common.sum(axis=-1), 1)
    centres = np.linalg.norm(_centres(poses1)[:, None] - _centres(poses2)[None], axis=-1)
    distance = np.where(common.sum(axis=-1) >= COMMON, joints, centres)
    size = np.maximum(sizes_of(poses1)[:, None], sizes_of(poses2)[None])
    return np.divide(distance, size, out=np.full(distance.shape, np.inf), where=size > 0)


def _centres(poses: np.ndarray) -> np.ndarray:
    """Mean of the joints that are seen: (P, J, 3) -> (P, 2); 0, 0 if none is."""
    seen = poses[..., 2:] > 0
    return np.where(seen, poses[..., :2], 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)


def _distinct(identities: list[list]) -> bool:
    """Whether no id occurs twice in a frame; some tools write 0 for everyone when they do not track people."""
    return all(len(set(ids)) == len(ids) for ids in identities)


def _row_and_member(present: list[np.ndarray]) -> list[tuple[int, int]]:
    """(row, member) of everyone in every frame."""
    return [(row, int(member)) for row, members in enumerate(present) for member in members]


def _by_identity(people: list[np.ndarray], present: list[np.ndarray], identities: list[list]) -> list[Piece]:
    pieces: dict = {}
    for row, member in _row_and_member(present):
        pieces.setdefault(identities[row][member], Piece()).add(row, member, people[row][member])
    return list(pieces.values())


def _by_position(people: list[np.ndarray], present: list[np.ndarray], times: np.ndarray) -> list[Piece]:
    """Match the people of each frame to those seen shortly before, nearest pairs first."""
    done: list[Piece] = []
    active: list[Piece] = []
    for row, frame in enumerate(people):
        done += [piece for piece in active if times[row] - times[piece.rows[-1]] > LONGEST]
        active = [piece for piece in active if times[row] - times[piece.rows[-1]] <= LONGEST]
        free = set(present[row].tolist())
        taken = set()
        for i, member in _nearest_pairs([_pose(people, piece, -1) for piece in active], frame):
            if i not in taken and member in free:
                active[i].add(row, member, frame[member])
                taken.add(i)
                free.remove(member)
        for member in sorted(free):
            piece = Piece()
            piece.add(row, member, frame[member])
            active.append(piece)
    return done + active


def _nearest_pairs(poses: list[np.ndarray], frame: np.ndarray) -> list[tuple[int, int]]:
    """(i, member) of poses and members of a frame that may be the same person, nearest first."""
    if not poses or not len(frame):
        return []
    distance = distances(np.stack(poses), frame)
    pairs = zip(*np.nonzero(distance <= FARTHEST))
    return [(int(i), int(member)) for i, member in sorted(pairs, key=lambda pair: distance[pair])]


def _persons(pieces: list[Piece], people: list[np.ndarray], count: int) -> list[list[tuple[int, int]]]:
    """(row, member) of each of at most `count` persons, joined from their pieces, the one with the largest weight
    first."""
    pieces = sorted(pieces, key=lambda piece: -piece.weight)
    persons = []
    while pieces and len(persons) < count:
        persons.append(_joined(pieces, people))
        pieces = [piece for piece in pieces if piece not in persons[-1]]
    persons.sort(key=lambda pieces: -sum(piece.weight for piece in pieces))
    return [[pair for piece in pieces for pair in zip(piece.rows, piece.members)] for pieces in persons]


def _joined(pieces: list[Piece], people: list[np.ndarray]) -> list[Piece]:
    """The piece with the largest weight, joined with pieces that end near its start or begin near its end, and so
    on."""
    chosen = [pieces[0]]
    end = chosen[0]
    for piece in sorted(pieces, key=lambda piece: piece.rows[0]):
        if piece.rows[0] > end.rows[-1] and _near(people, end, -1, piece, 0):
            chosen.append(piece)
            end = piece
    begin = chosen[0]
    for piece in sorted(pieces, key=lambda piece: -piece.rows[-1]):
        if piece.rows[-1] < begin.rows[0] and _near(people, begin, 0, piece, -1):
            chosen.append(piece)
            begin = piece
    return chosen


def _near(people: list[np.ndarray], piece1: Piece, at1: int, piece2: Piece, at2: int) -> bool:
    """Whether frame `at1` of one piece and frame `at2` of another show a person in the same place."""
    return bool(distances(_pose(people, piece1, at1)[None], _pose(people, piece2, at2)[None]) <= COMING_BACK)


def _pose(people: list[np.ndarray], piece: Piece, at: int) -> np.ndarray:
    """The joints (J, 3) of the person of a piece in its frame number `at`."""
    return people[piece.rows[at]][piece.members[at]]
