"""Pose estimators, chosen by name: the joints of the people in a video, frame by frame.

MediaPipe's pose estimator (BlazePose, https://arxiv.org/abs/2006.10204) tracks a person from frame to frame; its hand
estimator (https://arxiv.org/abs/2006.10214) is applied around each wrist, because it finds far fewer of the small hands
in a whole picture. New people are searched for from time to time, also in parts of the picture, because the estimator
finds only people who take at least about a third of its input.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from mmad.config import PoseConfig
from mmad.errors import InputError
from mmad.pose.boxes import Box, blackened, square_around, squares, whole
from mmad.pose.estimated_people import GONE, MIN_PRESENCE, empty_people, first_findings
from mmad.pose.hands import ARMS, Hand, assign_hands, drop_duplicates, shoulder_width, square_of_hand
from mmad.pose.landmarkers import Landmarkers
from mmad.pose.quiet import quiet_stderr

BODY, HAND = 33, 21  # pose points; points of one hand
HIDDEN = 0.02  # hands whose wrist is less visible than this are skipped
OUTSIDE = 0.1  # hands of whose square a smaller share is in the picture are skipped
LONGEST_WAIT = 7  # most frames between thorough searches for a hand that is not found
SEARCH = 2.0  # time between searches for people, s
SEARCH_LOST, LONGEST_SEARCH_LOST = 0.5, 4.0  # the same while nobody is tracked; doubled from first to second by misses
THOROUGH = 5  # every so many searches one also looks into smaller parts of the picture
SURE = 0.9  # smallest presence of a person found by searching
MOST_INSIDE = 0.75  # smallest share of the pose points within the box that was searched
ELSEWHERE = 0.5  # two people further apart than this are not the same; sizes
LARGER = 1.25  # a person larger by this factor is tracked instead of another one
ROOM = 2.5  # side of the box in which a small person is tracked, relative to the extent of the person
EDGE = 1.2  # the box is moved when the chest is nearer to its edge than this; sizes


class Estimator(Protocol):
    """Finds the people in the frames of one video after another.

    source: names of the networks and digests of their weights. settings: the same in full, for the sidecar.
    most_people: largest number of people seen at once in the video so far.
    """

    source: str
    settings: dict
    most_people: int

    def begin(self, people: int) -> None:
        """Start a new video, in which at most so many people are tracked; if one, the largest."""

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        """The people in an (H, W, 3) uint8 RGB frame: (P,) array of PERSON; P = 0 if there is nobody.

        Joints outside the picture are not seen. seconds: time of the frame; must increase.
        """

    def close(self) -> None: ...


class MediaPipe:
    """A pose landmarker per tracked person, one that searches for more people, and hand landmarkers at the wrists."""

    def __init__(self, config: PoseConfig):
        with quiet_stderr():
            self.landmarkers = Landmarkers(("pose", "hand") if config.hands else ("pose",), config.models)
        self.with_hands, self.max_people = config.hands, config.max_people
        files = self.landmarkers.files
        self.source = "mediapipe/" + "+".join(f"{kind}-{file.digest[:12]}" for kind, file in files.items())
        self.settings = {
            "estimator": "mediapipe",
            "version": self.landmarkers.version,
            "models": self.landmarkers.digests,
        }
        self.threads = ThreadPoolExecutor(2)
        self.searcher = self.thorough = None  # landmarkers for people and hands in single frames, for all videos
        self.followers: list[_Follower] = []
        self.most_people = 0

    def begin(self, people: int) -> None:
        with quiet_stderr():
            self._close(self.followers[:])
            self.searcher = self.searcher or self.landmarkers.open_pose("IMAGE", self.max_people)
            if self.with_hands:
                self.thorough = self.thorough or self.landmarkers.open_hand("IMAGE", 2)
        self.people, self.most_people = people, 0
        self.stamp, self.searched, self.searches, self.in_vain = -1, -np.inf, 0, 0

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        frame = np.ascontiguousarray(frame)
        with quiet_stderr():
            self.stamp = max(round(1000 * seconds), self.stamp + 1)  # ms, as MediaPipe expects
            list(self.threads.map(lambda follower: follower.update(frame, self.stamp, seconds), self.followers))
            self._drop_twins()
            if seconds >= self.searched + self._pause():
                self._search(frame, seconds)
            present = [follower for follower in self.followers if follower.presence()]
            if self.with_hands:
                for follower in present:
                    follower.add_hands(frame, self.stamp, self.thorough, self.threads)
            self.most_people = max(self.most_people, len(present))
        return np.array([follower.seen(frame) for follower in present]) if present else empty_people(0)

    def close(self) -> None:
        with quiet_stderr():
            self.landmarkers.close_all()
        self.threads.shutdown()

    # --- who is tracked ---

    def _search(self, frame: np.ndarray, seconds: float) -> None:
        """Track people who are found and not tracked yet, up to the limit; if the limit is one, the largest."""
        self.searched = seconds
        self._close([follower for follower in self.followers if seconds - follower.last_seen > GONE])
        found = self._find_people(frame)
        self.in_vain = 0 if found else self.in_vain + 1
        new = [(person, box) for person, box in found if not any(f.follows(person) for f in self.followers)]
        self.most_people = max(self.most_people, len(new) + sum(f.presence() > 0 for f in self.followers))
        for person, box in sorted(new, key=lambda item: -item[0]["size"]):
            if len(self.followers) == self.people:
                self._close([follower for follower in self.followers if self._gives_way(follower, person)][:1])
            if len(self.followers) < self.people:
                follower = _Follower(self.landmarkers, box, person, seconds, self.with_hands)
                self.followers.append(follower)
                if len(found) > 1:
                    follower.show_alone(frame, self.stamp)
        if not self.followers:  # the estimator itself may find someone in this frame or a later one
            self.followers = [_Follower(self.landmarkers, whole(frame), empty_people(), seconds, self.with_hands)]
            self.followers[0].update(frame, self.stamp, seconds)

    def _pause(self) -> float:
        """Time from one search to the next, s."""
        if any(follower.presence() for follower in self.followers):
            return SEARCH
        return min(SEARCH_LOST * 2**self.in_vain, LONGEST_SEARCH_LOST)

    def _gives_way(self, follower: "_Follower", person: np.ndarray) -> bool:
        """Whether the person should be tracked instead of the one of this follower."""
        if self.people > 1:
            return not follower.presence()
        return follower.presence() < MIN_PRESENCE or person["size"] >= LARGER * follower.person["size"]

    def _find_people(self, frame: np.ndarray) -> list[tuple[np.ndarray, Box]]:
        """(PERSON, box in which to track them) of all people who can be found, each once."""
        short, tracked = min(frame.shape[:2]), any(f.presence() >= MIN_PRESENCE for f in self.followers)
        several, thoroughly = self.people > 1, self.searches % THOROUGH == 0
        self.searches += 1
        found: list[tuple[np.ndarray, Box]] = []
        self._add_people_in([whole(frame)], frame, found)
        if several or thoroughly or not (tracked or found):
            self._add_people_in(squares(frame, short), frame, found)
        if (several and thoroughly) or not (tracked or found):
            self._add_people_in(squares(frame, -(-short // 2)), frame, found)
        return found

    def _add_people_in(self, boxes: list[Box], frame: np.ndarray, found: list[tuple[np.ndarray, Box]]) -> None:
        """Search boxes of a frame, and append people who are not in `found` yet."""
        for box in boxes:
            for person in self.landmarkers.people_in(self.searcher, frame, box):
                points = person["points"][:BODY, :2] * frame.shape[0]
                in_whole = box == whole(frame)
                cut_off = not in_whole and box.contains(points).mean() < MOST_INSIDE
                if not (cut_off or person["presence"] < SURE or any(_is_same(person, known) for known, _ in found)):
                    found.append((person, box if in_whole else square_around(points, ROOM, frame)))

    def _close(self, followers: "list[_Follower]") -> None:
        for follower in followers:
            self.followers.remove(follower)
            follower.close()

    def _drop_twins(self) -> None:
        """Of followers that track the same person, keep the one with the higher presence."""
        if len(self.followers) > 1:
            (kept,) = first_findings(np.array([[follower.person for follower in self.followers]]))
            self._close([f for f, is_kept in zip(self.followers, kept) if f.presence() and not is_kept])


class _Follower:
    """Tracks one person and their hands in a box of the picture.

    person: PERSON in the last frame, also with joints outside the picture, or nobody. last_seen: s.
    """

    def __init__(self, landmarkers: Landmarkers, box: Box, person: np.ndarray, seconds: float, with_hands: bool):
        self.landmarkers, self.box = landmarkers, box
        self.pose = landmarkers.open_pose("VIDEO", 1)
        self.hands = [landmarkers.open_hand("VIDEO", 1) for _ in range(2 if with_hands else 0)]  # left, right
        self.misses, self.wait = [0, 0], [0, 0]  # of each hand: vain thorough searches, frames until the next
        self.person, self.last_seen = person, seconds

    def close(self) -> None:
        for landmarker in (self.pose, *self.hands):
            self.landmarkers.close(landmarker)

    def presence(self) -> float:
        """Presence of the tracked person; 0 if there is nobody."""
        return float(self.person["presence"])

    def follows(self, person: np.ndarray) -> bool:
        """Whether it tracks this person."""
        return _is_same(self.person, person)

    def show_alone(self, frame: np.ndarray, stamp: int) -> None:
        """Run the landmarker on its person with everyone else blacked out, so that it keeps tracking this one."""
        alone = blackened(frame, square_around(self._points(frame), 1.3, frame))
        self.landmarkers.people_in(self.pose, alone, self.box, stamp)

    def update(self, frame: np.ndarray, stamp: int, seconds: float) -> None:
        """Find the person in the next frame."""
        found = self.landmarkers.people_in(self.pose, frame, self.box, stamp)
        self.person = found[0] if len(found) else empty_people()
        if not len(found):
            return
        self.last_seen = seconds
        if self._is_near_edge(frame):
            self.landmarkers.close(self.pose)
            self.pose = self.landmarkers.open_pose("VIDEO", 1)
            self.box = square_around(self._points(frame), ROOM, frame)

    def _points(self, frame: np.ndarray) -> np.ndarray:
        """Pose points (33, 2), pixels."""
        return self.person["points"][:BODY, :2] * frame.shape[0]

    def _is_near_edge(self, frame: np.ndarray) -> bool:
        """Whether the person is about to leave the box in which they are tracked."""
        height, width = frame.shape[:2]
        chest, margin = self.person["chest"] * height, EDGE * self.person["size"] * height
        left, top = chest - (self.box.left, self.box.top)
        right, bottom = self.box.width - left, self.box.height - top
        return bool(
            (left < margin and self.box.left > 0)
            or (top < margin and self.box.top > 0)
            or (right < margin and self.box.left + self.box.width < width)
            or (bottom < margin and self.box.top + self.box.height < height)
        )

    def seen(self, frame: np.ndarray) -> np.ndarray:
        """The person, with joints outside the box marked as not seen."""
        person = self.person.copy()
        person["points"][~self.box.contains(person["points"][:, :2] * frame.shape[0])] = (np.nan, np.nan, 0)
        return person

    def add_hands(self, frame: np.ndarray, stamp: int, thorough, threads: ThreadPoolExecutor) -> None:
        """Find the hands of the person. Each is tracked around its wrist. A missing one is searched thoroughly, with
        both hands in the picture, but less and less often: it may be hidden."""
        body = self.person["points"]
        boxes = [_box_of_hand(body, side, frame) for side in range(2)]
        jobs = [(self.hands[side], frame, boxes[side], stamp) for side in range(2) if boxes[side]]
        hands = [hand for found in threads.map(lambda job: self.landmarkers.hands_in(*job), jobs) for hand in found]
        result = _of_person(hands, body)
        for side in range(2):
            if result[side] is not None or not boxes[side]:
                self.misses[side] = self.wait[side] = 0
            elif self.wait[side]:
                self.wait[side] -= 1
            else:
                hands += self.landmarkers.hands_in(thorough, frame, boxes[side])
                result = _of_person(hands, body)
                self.misses[side] = 0 if result[side] is not None else self.misses[side] + 1
                self.wait[side] = min(2 ** self.misses[side] - 1, LONGEST_WAIT)
        for side, hand in enumerate(result):
            if hand is not None:
                first = BODY + HAND * side
                body[first : first + HAND] = np.column_stack([hand.points, np.full(HAND, hand.score)])


def _is_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two PERSON in one frame are the same person; False if either is nobody."""
    size = max(one["size"], other["size"])
    return bool(np.linalg.norm(one["chest"] - other["chest"]) < ELSEWHERE * size)


def _of_person(hands: list[Hand], body: np.ndarray) -> list[Hand | None]:
    """[left, right] hand of a person, of those found around the wrists; None where there is none."""
    width = shoulder_width(body)
    return assign_hands(drop_duplicates(hands, width), body[[wrist for _, wrist in ARMS], :2], width)


def _box_of_hand(body: np.ndarray, side: int, frame: np.ndarray) -> Box | None:
    """The square around a hand, None if the hand cannot be seen there."""
    height, width = frame.shape[:2]
    box = square_of_hand(body, side, height)
    hidden = box is None or body[ARMS[side][1], 2] < HIDDEN or box.share_in_picture(width, height) < OUTSIDE
    return None if hidden else box


ESTIMATORS: dict[str, Callable[[PoseConfig], Estimator]] = {"mediapipe": MediaPipe}


def open_estimator(config: PoseConfig) -> Estimator:
    """The estimator that the configuration names."""
    if config.estimator not in ESTIMATORS:
        raise InputError("estimator", f"{config.estimator!r}", f"choose one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[config.estimator](config)
