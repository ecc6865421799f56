"""People in a video: who is who from frame to frame, who is really there, and which of them is meant.

All of it looks at a whole video at once, after an estimator has been through it: a person who leaves and comes back is
known by the place and the size that he usually has.
"""

import numpy as np
from scipy.ndimage import median_filter
from scipy.optimize import linear_sum_assignment

from mmad.errors import InputError

# One person in one frame. points: x, y in heights of the picture and confidence, in the order of "mediapipe75"; NaN,
# NaN, 0 where not seen. head, chest: middles of face and shoulders, outside the picture too. size: shoulder width, or
# two thirds of the trunk's length where that is more, as in people seen from the side; NaN where there is nobody.
# presence: 0..1, how surely somebody is there at all.
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
SUREST = 11  # joints whose presence counts: as many as a face has
TRUNK = 2 / 3  # shoulder width by length of the trunk, of people seen from the front
TWICE = 0.3  # sizes: two people who are nearer are one who was found twice
GONE = 1.0  # s without being seen until somebody counts as gone
STEP, SPEED = 0.75, 4.0  # sizes, and sizes a second, that somebody may get from one frame to another
SAME_PLACE, SAME_SIZE = 3.0, 1.5  # sizes and factor by which who comes back may differ from what is usual for him
BELIEVED, WINDOW = 0.85, 1.5  # presence less unsteadiness, by the median over so many s: below it there is nobody
LONG_ENOUGH = 1.0  # s, or half of the video, that somebody must be seen to count
OFTEN = 0.25  # share of the rows of who is seen most, from which somebody can be the leftmost or rightmost


def nobody(*shape: int) -> np.ndarray:
    """An array of PERSON with nobody in it."""
    people = np.zeros(shape, dtype=PERSON)
    people["points"][..., :2] = np.nan
    for name in ("head", "chest", "size"):
        people[name] = np.nan
    return people


def is_there(people: np.ndarray) -> np.ndarray:
    """Where an array of PERSON holds somebody; bool of the same shape."""
    return np.isfinite(people["size"])


def person_of(body: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """A PERSON, shape (), of the (33, 3) pose points, those outside the picture too, and the presence (33,) of each.

    Its hands are not seen.
    """
    person = nobody()
    person["points"][: len(body)] = body
    places = body[:, :2]
    chest = places[SHOULDERS].mean(axis=0)
    width, trunk = np.linalg.norm(np.diff(places[SHOULDERS], axis=0)), np.linalg.norm(chest - places[HIPS].mean(axis=0))
    person["head"], person["chest"] = places[HEAD].mean(axis=0), chest
    person["size"] = max(width, TRUNK * trunk, 1e-3)
    person["presence"] = np.sort(presence)[-SUREST:].mean()
    return person


def without_twins(rows: np.ndarray) -> np.ndarray:
    """(T, P) bool: who is there, but for second findings of the same person: the surer one counts."""
    kept = is_there(rows)
    for one in range(rows.shape[1]):
        for other in range(one):
            both = kept[:, one] & kept[:, other]
            apart = np.linalg.norm(rows["chest"][:, one] - rows["chest"][:, other], axis=-1)
            twins = both & (apart < TWICE * np.fmin(rows["size"][:, one], rows["size"][:, other]))
            surer = rows["presence"][:, one] > rows["presence"][:, other]
            kept[twins & surer, other] = False
            kept[twins & ~surer, one] = False
    return kept


# --- who is who -------------------------------------------------------------------------------------------------


def follow(rows: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
    """One (T,) array of PERSON for each person in (T, P) of them, who may stand in any column at any time (T,) s.

    From frame to frame somebody is who was nearest. Who comes back after longer is whoever was there before, is not
    there now, and usually is about there and about as large. Nobody found: no tracks.
    """
    people: list[list[np.ndarray]] = []  # of each, his stays, in the order of time
    for stay in sorted(_stays(rows, without_twins(rows), times), key=lambda stay: tuple(stay[0])):
        returned = _who_returned(stay, people, rows)
        if returned is None:
            people.append([stay])
        else:
            returned.append(stay)
    return [_track(rows, np.concatenate(stays)) for stays in people]


def _stays(rows: np.ndarray, kept: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
    """(N, 2) row and column of each person from coming to going."""
    gone, present = [], []  # lists of (row, column)
    for row in np.flatnonzero(kept.any(axis=1)):
        gone += [stay for stay in present if times[row] - times[stay[-1][0]] > GONE]
        present = [stay for stay in present if times[row] - times[stay[-1][0]] <= GONE]
        columns = np.flatnonzero(kept[row])
        before = np.array([rows[stay[-1]] for stay in present], dtype=rows.dtype)
        passed = times[row] - times[[stay[-1][0] for stay in present]] if present else np.empty(0)
        known = dict(_nearest(before, passed, rows[row, columns]))
        for number, column in enumerate(columns):
            if number in known:
                present[known[number]].append((row, column))
            else:
                present.append([(row, column)])
    return [np.array(stay) for stay in gone + present]


def _nearest(before: np.ndarray, passed: np.ndarray, now: np.ndarray) -> list[tuple[int, int]]:
    """(index in `now`, index in `before`) of who may be the same; passed: s since each one before was seen."""
    if not len(before):
        return []
    larger = np.fmax(before["size"][:, None], now["size"])
    ratio = larger / np.fmin(before["size"][:, None], now["size"])
    apart = np.linalg.norm(before["chest"][:, None] - now["chest"], axis=-1) / larger
    of_reach = apart / (STEP + SPEED * passed)[:, None]
    possible = (of_reach <= 1) & (ratio <= SAME_SIZE)
    first, second = linear_sum_assignment(np.where(possible, of_reach + np.log(ratio), 9))
    return [(j, i) for i, j in zip(first, second) if possible[i, j]]


def _who_returned(stay: np.ndarray, people: list[list[np.ndarray]], rows: np.ndarray) -> list[np.ndarray] | None:
    """Of the people known so far the one whose next stay this is; None where it is somebody new."""
    chest, size = _usual(rows, stay)
    best, nearest = None, SAME_PLACE
    for stays in people:
        if stays[-1][-1][0] >= stay[0][0]:
            continue  # he is still there
        his_chest, his_size = _usual(rows, np.concatenate(stays))
        larger, smaller = max(size, his_size), min(size, his_size)
        apart = np.linalg.norm(chest - his_chest) / larger
        if apart < nearest and larger < SAME_SIZE * smaller:
            best, nearest = stays, apart
    return best


def _usual(rows: np.ndarray, stay: np.ndarray) -> tuple[np.ndarray, float]:
    """Median place of the chest, (2,), and median size."""
    seen = rows[stay[:, 0], stay[:, 1]]
    return np.median(seen["chest"], axis=0), float(np.median(seen["size"]))


def _track(rows: np.ndarray, where: np.ndarray) -> np.ndarray:
    track = nobody(len(rows))
    track[where[:, 0]] = rows[where[:, 0], where[:, 1]]
    return track


# --- who is really there ----------------------------------------------------------------------------------------


def erase_phantoms(track: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The (T,) track itself, in which nobody is left where nobody is: networks see people in hands, say, too, but
    unsure and restless."""
    track[~believed(track, times)] = nobody()
    return track


def believed(track: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) bool: where somebody was found, and surely and steadily enough over the second and a half around it.

    Presence, less what head and chest leave a straight way, in sizes and steps of a 15th of a second; where nobody was
    found, 0. Hands that fill the picture are found as people by the presence alone, in every second clip.
    """
    surety = np.where(is_there(track), track["presence"], 0.0).astype(np.float64)
    if len(track) > 2:
        bends = sum(np.linalg.norm(np.diff(track[name], 2, axis=0), axis=1) / 2 for name in ("head", "chest"))
        bends = bends / track["size"][1:-1] / (15 * (times[2:] - times[:-2]) / 2) ** 2
        surety[1:-1] -= np.where(np.isfinite(bends), bends, 0.0)
    step = np.median(np.diff(times)) if len(times) > 1 else WINDOW
    window = round(WINDOW / step) // 2 * 2 + 1
    return is_there(track) & (median_filter(surety, window, mode="reflect") >= BELIEVED)


# --- which of them ----------------------------------------------------------------------------------------------


def in_order(tracks: list[np.ndarray], times: np.ndarray) -> list[np.ndarray]:
    """Those who are there for long enough, the largest first: by the area of the picture that they take, over time."""
    step = np.median(np.diff(times)) if len(times) > 1 else 1.0
    least = max(min(LONG_ENOUGH / step, len(times) / 2), 1)
    staying = [track for track in tracks if is_there(track).sum() >= least]
    return sorted(staying, key=lambda track: -np.nansum(track["size"].astype(np.float64) ** 2))


def choose(tracks: list[np.ndarray], who: str) -> list[int]:
    """Indices of the people meant, of at least one, in the order of `in_order`.

    who: "largest", "left" or "right" (in the picture, of those who are seen often), "all", or an index as text;
    `InputError` where there is no such person.
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
    places = [float(np.nanmedian(tracks[i]["chest"][:, 0])) for i in often]
    return [int(often[np.argmin(places) if who == "left" else np.argmax(places)])]
