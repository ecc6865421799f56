"""People that a pose estimator of ours found in a video: tracks of each, false findings removed, one of them chosen.

All of it works on the whole video, after the estimator. A person who leaves and returns is recognized by their usual
place and size. It relies on presence, head, chest and size, which the files of other tools lack: people in those are
tracked by `mmad/pose/imported_people.py`.
"""

import numpy as np
from scipy.ndimage import median_filter
from scipy.optimize import linear_sum_assignment

from mmad.errors import InputError

# One person in one frame. points: x, y in picture heights and confidence, in the order of "mediapipe75"; NaN, NaN, 0
# where not seen. head, chest: centre of the face and of the shoulders, also outside the picture. size: shoulder width,
# or two thirds of the trunk length where that is more, as for people seen from the side; NaN if there is nobody.
# presence: 0..1, probability that there is a person.
PERSON = np.dtype(
    [
        ("points", np.float32, (75, 3)),
        ("head", np.float32, 2),
        ("chest", np.float32, 2),
        ("size", np.float32),
        ("presence", np.float32),
    ]
)
HEAD, SHOULDERS, HIPS = slice(0, 11), [11, 12], [23, 24]
SUREST = 11  # presence is the mean over so many joints with the highest one: as many as a face has
TRUNK = 2 / 3  # shoulder width / trunk length of people seen from the front
TWICE = 0.3  # people nearer than this are one who was found twice; sizes
GONE = 1.0  # a person not seen for longer has left, s
STEP, SPEED = 0.75, 4.0  # most that a person moves from frame to frame: sizes, plus sizes per second
SAME_PLACE, SAME_SIZE = 3.0, 1.5  # most that a returning person differs from the usual place (sizes), size (factor)
MIN_PRESENCE, WINDOW = 0.85, 1.5  # smallest presence minus unsteadiness, as the median over a window of so many s
LONG_ENOUGH = 1.0  # shortest time that a person must be seen, s; at most half of the video
OFTEN = 0.25  # to be leftmost or rightmost, a person is seen in this share of the frames of the one seen most


def empty_people(*shape: int) -> np.ndarray:
    """An array of PERSON without anybody."""
    people = np.zeros(shape, dtype=PERSON)
    people["points"][..., :2] = np.nan
    for name in ("head", "chest", "size"):
        people[name] = np.nan
    return people


def is_there(people: np.ndarray) -> np.ndarray:
    """Where an array of PERSON contains a person: bool of the same shape."""
    return np.isfinite(people["size"])


def person_of(body: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """A PERSON, shape (), from the pose points (33, 3), also those outside the picture, and their presence (33,).

    The hands are not seen.
    """
    person = empty_people()
    person["points"][: len(body)] = body
    points = body[:, :2]
    chest = points[SHOULDERS].mean(axis=0)
    width, trunk = np.linalg.norm(np.diff(points[SHOULDERS], axis=0)), np.linalg.norm(chest - points[HIPS].mean(axis=0))
    person["head"], person["chest"] = points[HEAD].mean(axis=0), chest
    person["size"] = max(width, TRUNK * trunk, 1e-3)
    person["presence"] = np.sort(presence)[-SUREST:].mean()
    return person


def first_findings(rows: np.ndarray) -> np.ndarray:
    """(T, P) bool: True for people, except a second finding of the same person, the one with the lower presence."""
    kept = is_there(rows)
    for one in range(rows.shape[1]):
        for other in range(one):
            both = kept[:, one] & kept[:, other]
            distance = np.linalg.norm(rows["chest"][:, one] - rows["chest"][:, other], axis=-1)
            twins = both & (distance < TWICE * np.fmin(rows["size"][:, one], rows["size"][:, other]))
            surer = rows["presence"][:, one] > rows["presence"][:, other]
            kept[twins & surer, other] = False
            kept[twins & ~surer, one] = False
    return kept


# --- tracking ---------------------------------------------------------------------------------------------------


def track_people(rows: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
    """One (T,) array of PERSON for each person in (T, P) of them, in any column at any time; [] if nobody is found.

    times: (T,) s. From frame to frame a person is matched to the nearest one. A person who appears later is matched to
    one who was there before, is absent now, and has a similar usual place and size.
    """
    people: list[list[np.ndarray]] = []  # of each person the stays, in the order of time
    for stay in sorted(_stays(rows, first_findings(rows), times), key=lambda stay: tuple(stay[0])):
        returned = _who_returned(stay, people, rows)
        if returned is None:
            people.append([stay])
        else:
            returned.append(stay)
    return [_track(rows, np.concatenate(stays)) for stays in people]


def _stays(rows: np.ndarray, kept: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
    """Of each uninterrupted stay of a person, (N, 2) row and column."""
    gone, present = [], []  # lists of (row, column)
    for row in np.flatnonzero(kept.any(axis=1)):
        gone += [stay for stay in present if times[row] - times[stay[-1][0]] > GONE]
        present = [stay for stay in present if times[row] - times[stay[-1][0]] <= GONE]
        columns = np.flatnonzero(kept[row])
        before = np.array([rows[stay[-1]] for stay in present], dtype=rows.dtype)
        elapsed = times[row] - times[[stay[-1][0] for stay in present]] if present else np.empty(0)
        matched = dict(_nearest(before, elapsed, rows[row, columns]))
        for number, column in enumerate(columns):
            if number in matched:
                present[matched[number]].append((row, column))
            else:
                present.append([(row, column)])
    return [np.array(stay) for stay in gone + present]


def _nearest(before: np.ndarray, elapsed: np.ndarray, now: np.ndarray) -> list[tuple[int, int]]:
    """(index in `now`, index in `before`) of people who may be the same. elapsed: time since each of `before`, s."""
    if not len(before):
        return []
    larger = np.fmax(before["size"][:, None], now["size"])
    ratio = larger / np.fmin(before["size"][:, None], now["size"])
    distance = np.linalg.norm(before["chest"][:, None] - now["chest"], axis=-1) / larger
    relative = distance / (STEP + SPEED * elapsed)[:, None]
    possible = (relative <= 1) & (ratio <= SAME_SIZE)
    first, second = linear_sum_assignment(np.where(possible, relative + np.log(ratio), 9))
    return [(j, i) for i, j in zip(first, second) if possible[i, j]]


def _who_returned(stay: np.ndarray, people: list[list[np.ndarray]], rows: np.ndarray) -> list[np.ndarray] | None:
    """The person, of those seen so far, whose next stay this is; None for a new person."""
    chest, size = _usual(rows, stay)
    best, nearest = None, SAME_PLACE
    for stays in people:
        if stays[-1][-1][0] >= stay[0][0]:
            continue  # still present
        usual_chest, usual_size = _usual(rows, np.concatenate(stays))
        larger, smaller = max(size, usual_size), min(size, usual_size)
        distance = np.linalg.norm(chest - usual_chest) / larger
        if distance < nearest and larger < SAME_SIZE * smaller:
            best, nearest = stays, distance
    return best


def _usual(rows: np.ndarray, stay: np.ndarray) -> tuple[np.ndarray, float]:
    """Median position of the chest, (2,), and median size."""
    seen = rows[stay[:, 0], stay[:, 1]]
    return np.median(seen["chest"], axis=0), float(np.median(seen["size"]))


def _track(rows: np.ndarray, where: np.ndarray) -> np.ndarray:
    track = empty_people(len(rows))
    track[where[:, 0]] = rows[where[:, 0], where[:, 1]]
    return track


# --- false findings ---------------------------------------------------------------------------------------------


def remove_false_people(track: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The (T,) track itself, emptied where there is no person: estimators also find people in hands, for instance, but
    with low presence and unsteadily."""
    track[~is_real(track, times)] = empty_people()
    return track


def is_real(track: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) bool: where a person is found with high presence and steadily, by the median over a window.

    Measured by presence minus the deviation of head and chest from a straight path, in sizes and steps of 1/15 s; 0
    where nobody is found. By presence alone, hands that fill the picture are found as people in every second clip.
    """
    steadiness = np.where(is_there(track), track["presence"], 0.0).astype(np.float64)
    if len(track) > 2:
        bends = sum(np.linalg.norm(np.diff(track[name], 2, axis=0), axis=1) / 2 for name in ("head", "chest"))
        bends = bends / track["size"][1:-1] / (15 * (times[2:] - times[:-2]) / 2) ** 2
        steadiness[1:-1] -= np.where(np.isfinite(bends), bends, 0.0)
    step = np.median(np.diff(times)) if len(times) > 1 else WINDOW
    window = round(WINDOW / step) // 2 * 2 + 1
    return is_there(track) & (median_filter(steadiness, window, mode="reflect") >= MIN_PRESENCE)


# --- choosing ---------------------------------------------------------------------------------------------------


def by_size(tracks: list[np.ndarray], times: np.ndarray) -> list[np.ndarray]:
    """The tracks that are long enough, the largest first: by the sum over time of the area that a person takes."""
    step = np.median(np.diff(times)) if len(times) > 1 else 1.0
    least = max(min(LONG_ENOUGH / step, len(times) / 2), 1)
    long_enough = [track for track in tracks if is_there(track).sum() >= least]
    return sorted(long_enough, key=lambda track: -np.nansum(track["size"].astype(np.float64) ** 2))


def choose(tracks: list[np.ndarray], who: str) -> list[int]:
    """Indices of the chosen people among at least one, in the order of `by_size`.

    who: "largest", "left" or "right" (in the picture, of those seen often), "all", or an index as text. `InputError` if
    there is no such person.
    """
    if who == "all":
        return list(range(len(tracks)))
    if who == "largest":
        return [0]
    if who.isdecimal():
        if int(who) >= len(tracks):
            problem = f"only {len(tracks)} people were found" if len(tracks) > 1 else "only one person was found"
            raise InputError(f"person {who}", problem, f"choose 0..{len(tracks) - 1}; 0 is the largest")
        return [int(who)]
    rows = np.array([is_there(track).sum() for track in tracks])
    often = np.flatnonzero(rows >= OFTEN * rows.max())
    positions = [float(np.nanmedian(tracks[i]["chest"][:, 0])) for i in often]
    return [int(often[np.argmin(positions) if who == "left" else np.argmax(positions)])]
