"""Several people in a video: who of one frame is who of the next, and the joints of the one that is asked for."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmad.errors import InputError

FARTHEST = 0.5  # people's sizes that one may move from one frame to the next
LONGEST = 1.0  # s for which one may be out of sight and still be followed by place alone
COMING_BACK = 1.0  # people's sizes between where one left and where the same person comes back
CONSIDERED = 8  # people who are put together of their pieces, beyond the one asked for, before the largest is chosen
COMMON = 3  # joints that two poses must share to be compared joint by joint


@dataclass(eq=False)
class Piece:
    """One person, followed without a break of identity. rows: frames in which the person is; members: as which."""

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
    """(T, J, 3): the joints of one person, NaN and confidence 0 where nobody or somebody else is.

    people: for each of T frames the (P, J, 3) of those in it, of which those without any joint are nobody. identities:
    who they are, where a tool followed them; else they are followed by place. person: 0 is the largest over time (size
    times confidence), 1 the next. `InputError` at `place` where there are not so many.
    """
    points = np.full((len(people), *people[0].shape[1:]), (np.nan, np.nan, 0), dtype=np.float32)
    present = [np.flatnonzero((frame[..., 2] > 0).any(axis=-1)) for frame in people]
    if all(len(members) <= 1 for members in present):  # always the same one, however far apart
        persons = [_places(present)] if any(map(len, present)) else []
    else:
        followed = identities is not None and _distinct(identities)
        pieces = _by_identity(people, present, identities) if followed else _by_place(people, present, times)
        persons = _persons(pieces, people, person + CONSIDERED)
    if person and person >= len(persons):
        raise InputError(place, f"person {person} was asked for of {len(persons)}", "the largest is 0, the next 1")
    for row, member in persons[person] if persons else []:
        points[row] = people[row][member]
    return points


def sizes_of(poses: np.ndarray) -> np.ndarray:
    """(P, J, 3) -> (P,): diagonal of the box around the joints that are seen; 0 where none is."""
    seen = poses[..., 2:] > 0
    least = np.where(seen, poses[..., :2], np.inf).min(axis=1)
    most = np.where(seen, poses[..., :2], -np.inf).max(axis=1)
    return np.linalg.norm(np.where(most >= least, most - least, 0), axis=-1)


def apart(poses: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(A, J, 3), (P, J, 3) -> (A, P): how far apart two people are, in sizes of the larger one; infinite for nobody.

    The mean distance of the joints that both show, or the distance of their middles where these are too few.
    """
    seen, also = poses[:, None, :, 2] > 0, others[None, :, :, 2] > 0
    common = seen & also  # (A, P, J)
    between = np.linalg.norm(poses[:, None, :, :2] - others[None, :, :, :2], axis=-1)
    joints = np.where(common, between, 0).sum(axis=-1) / np.maximum(common.sum(axis=-1), 1)
    middles = np.linalg.norm(_middles(poses)[:, None] - _middles(others)[None], axis=-1)
    distance = np.where(common.sum(axis=-1) >= COMMON, joints, middles)
    size = np.maximum(sizes_of(poses)[:, None], sizes_of(others)[None])
    return np.divide(distance, size, out=np.full(distance.shape, np.inf), where=size > 0)


def _middles(poses: np.ndarray) -> np.ndarray:
    """(P, J, 3) -> (P, 2): mean of the joints that are seen; 0, 0 where none is."""
    seen = poses[..., 2:] > 0
    return np.where(seen, poses[..., :2], 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)


def _distinct(identities: list[list]) -> bool:
    """Whether nobody is in a frame twice; some tools write 0 for everybody when they do not follow people."""
    return all(len(set(ids)) == len(ids) for ids in identities)


def _places(present: list[np.ndarray]) -> list[tuple[int, int]]:
    """(row, member) of everybody in every frame."""
    return [(row, int(member)) for row, members in enumerate(present) for member in members]


def _by_identity(people: list[np.ndarray], present: list[np.ndarray], identities: list[list]) -> list[Piece]:
    pieces: dict = {}
    for row, member in _places(present):
        pieces.setdefault(identities[row][member], Piece()).add(row, member, people[row][member])
    return list(pieces.values())


def _by_place(people: list[np.ndarray], present: list[np.ndarray], times: np.ndarray) -> list[Piece]:
    """The nearest pairs of a frame's people and those seen shortly before become the same person, nearest first."""
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
    """(i, member) of poses and members of a frame that are near enough to be the same person, nearest first."""
    if not poses or not len(frame):
        return []
    distances = apart(np.stack(poses), frame)
    pairs = zip(*np.nonzero(distances <= FARTHEST))
    return [(int(i), int(member)) for i, member in sorted(pairs, key=lambda pair: distances[pair])]


def _persons(pieces: list[Piece], people: list[np.ndarray], count: int) -> list[list[tuple[int, int]]]:
    """(row, member) of each of at most `count` persons, the heaviest first, put together of the pieces they are in."""
    pieces = sorted(pieces, key=lambda piece: -piece.weight)
    persons = []
    while pieces and len(persons) < count:
        persons.append(_joined(pieces, people))
        pieces = [piece for piece in pieces if piece not in persons[-1]]
    persons.sort(key=lambda pieces: -sum(piece.weight for piece in pieces))
    return [[place for piece in pieces for place in zip(piece.rows, piece.members)] for pieces in persons]


def _joined(pieces: list[Piece], people: list[np.ndarray]) -> list[Piece]:
    """The heaviest piece, and what comes before and after it near the place where it begins and ends, and so on."""
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


def _near(people: list[np.ndarray], one: Piece, at: int, other: Piece, there: int) -> bool:
    return bool(apart(_pose(people, one, at)[None], _pose(people, other, there)[None]) <= COMING_BACK)


def _pose(people: list[np.ndarray], piece: Piece, at: int) -> np.ndarray:
    """(J, 3): a piece's person in its frame number `at`."""
    return people[piece.rows[at]][piece.members[at]]
