"""Joints of the people in a video, frame by frame, by networks that packages carry; chosen by name.

MediaPipe's pose network (BlazePose, https://arxiv.org/abs/2006.10204) follows a person from frame to frame; its hand
network (https://arxiv.org/abs/2006.10214) is shown the surroundings of each wrist: in the whole picture, where hands
are small, it finds far fewer. People are searched for now and then, in parts of the picture too: the network that finds
them does so only from about a third of what it is shown.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from mmad.config import PoseConfig
from mmad.errors import InputError
from mmad.pose.hands import ARMS, Hand, assign_hands, shoulder_width, square_of_hand, without_doubles
from mmad.pose.networks import Networks
from mmad.pose.people import BELIEVED, GONE, nobody, without_twins
from mmad.pose.quiet import quiet_stderr
from mmad.pose.views import Box, blackened, square_around, squares, whole

BODY, HAND = 33, 21  # pose points; points of one hand
HIDDEN, OUTSIDE = 0.02, 0.1  # visibility of a wrist, share of its square in the picture: below, no hand is looked for
LONGEST_WAIT = 7  # frames until a hand that was not found is looked for more thoroughly again
SEARCH = 2.0  # s between searches for people
SEARCH_LOST, LONGEST_SEARCH_LOST = 0.5, 4.0  # where nobody is followed; each search in vain doubles it up to the second
THOROUGH = 5  # searches until the next in smaller parts of the picture
SURE = 0.9  # presence from which somebody who was found by searching counts
MOST_INSIDE = 0.75  # share of the pose points that must lie in the part of the picture that was searched
ELSEWHERE = 0.5  # sizes from which two people are not the same
LARGER = 1.25  # by which somebody else must be larger to be followed instead
ROOM = 2.5  # the part of the picture in which somebody small is followed, by what he takes of it
EDGE = 1.2  # sizes between the chest and the edge of that part, below which it is moved


class Estimator(Protocol):
    """Finds the people in the frames of one video after another.

    source: the networks and digests of their weights: joints of another source are other joints. settings: the same in
    full, for the record. most_people: seen at once in the video so far.
    """

    source: str
    settings: dict
    most_people: int

    def begin(self, people: int) -> None:
        """A new video, in which at most so many people are followed; if one, the largest."""

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        """(P,) array of `people.PERSON`: who is in an (H, W, 3) uint8 RGB frame; P = 0 is nobody.

        A joint outside the picture is not seen. seconds: more from frame to frame.
        """

    def close(self) -> None: ...


class MediaPipe:
    """A pose landmarker that follows each person, one that searches for more, and hand landmarkers at the wrists."""

    def __init__(self, config: PoseConfig):
        with quiet_stderr():
            self.networks = Networks(("pose", "hand") if config.hands else ("pose",), config.models)
        self.with_hands, self.max_people = config.hands, config.max_people
        files = self.networks.files
        self.source = "mediapipe/" + "+".join(f"{kind}-{file.digest[:12]}" for kind, file in files.items())
        self.settings = {
            "estimator": "mediapipe",
            "version": self.networks.version,
            "models": self.networks.digests,
        }
        self.threads = ThreadPoolExecutor(2)
        self.searcher = self.thorough = None  # for people, for hands; both forget each frame, so they serve all videos
        self.followers: list[_Follower] = []
        self.most_people = 0

    def begin(self, people: int) -> None:
        with quiet_stderr():
            self._close(self.followers[:])
            self.searcher = self.searcher or self.networks.open_pose("IMAGE", self.max_people)
            if self.with_hands:
                self.thorough = self.thorough or self.networks.open_hand("IMAGE", 2)
        self.people, self.most_people = people, 0
        self.stamp, self.searched, self.searches, self.in_vain = -1, -np.inf, 0, 0

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        frame = np.ascontiguousarray(frame)
        with quiet_stderr():
            self.stamp = max(round(1000 * seconds), self.stamp + 1)  # ms, as MediaPipe wants them
            list(self.threads.map(lambda follower: follower.look(frame, self.stamp, seconds), self.followers))
            self._drop_twins()
            if seconds >= self.searched + self._pause():
                self._search(frame, seconds)
            there = [follower for follower in self.followers if follower.presence()]
            if self.with_hands:
                for follower in there:
                    follower.add_hands(frame, self.stamp, self.thorough, self.threads)
            self.most_people = max(self.most_people, len(there))
        return np.array([follower.seen(frame) for follower in there]) if there else nobody(0)

    def close(self) -> None:
        with quiet_stderr():
            self.networks.close_all()
        self.threads.shutdown()

    # --- who is followed ---

    def _search(self, frame: np.ndarray, seconds: float) -> None:
        """Follow whoever is found and not followed yet, as far as there is room; of one, the largest."""
        self.searched = seconds
        self._close([follower for follower in self.followers if seconds - follower.last_seen > GONE])
        found = self._find_people(frame)
        self.in_vain = 0 if found else self.in_vain + 1
        new = [(person, view) for person, view in found if not any(f.follows(person) for f in self.followers)]
        self.most_people = max(self.most_people, len(new) + sum(f.presence() > 0 for f in self.followers))
        for person, view in sorted(new, key=lambda item: -item[0]["size"]):
            if len(self.followers) == self.people:
                self._close([follower for follower in self.followers if self._gives_way(follower, person)][:1])
            if len(self.followers) < self.people:
                follower = _Follower(self.networks, view, person, seconds, self.with_hands)
                self.followers.append(follower)
                if len(found) > 1:
                    follower.show_alone(frame, self.stamp)
        if not self.followers:  # whoever it is whom the network itself finds in this frame or a later one
            self.followers = [_Follower(self.networks, whole(frame), nobody(), seconds, self.with_hands)]
            self.followers[0].look(frame, self.stamp, seconds)

    def _pause(self) -> float:
        """s from one search to the next."""
        if any(follower.presence() for follower in self.followers):
            return SEARCH
        return min(SEARCH_LOST * 2**self.in_vain, LONGEST_SEARCH_LOST)

    def _gives_way(self, follower: "_Follower", person: np.ndarray) -> bool:
        """Whether a follower is needed more by somebody else."""
        if self.people > 1:
            return not follower.presence()
        return follower.presence() < BELIEVED or person["size"] >= LARGER * follower.person["size"]

    def _find_people(self, frame: np.ndarray) -> list[tuple[np.ndarray, Box]]:
        """(PERSON, part of the picture in which to follow him) of all who can be found, each once."""
        short, followed = min(frame.shape[:2]), any(f.presence() >= BELIEVED for f in self.followers)
        several, thoroughly = self.people > 1, self.searches % THOROUGH == 0
        self.searches += 1
        found: list[tuple[np.ndarray, Box]] = []
        self._add_people_in([whole(frame)], frame, found)
        if several or thoroughly or not (followed or found):
            self._add_people_in(squares(frame, short), frame, found)
        if (several and thoroughly) or not (followed or found):
            self._add_people_in(squares(frame, -(-short // 2)), frame, found)
        return found

    def _add_people_in(self, views: list[Box], frame: np.ndarray, found: list[tuple[np.ndarray, Box]]) -> None:
        """Search some parts of a frame, and put whom `found` does not hold yet to it."""
        for view in views:
            for person in self.networks.people_in(self.searcher, frame, view):
                places = person["points"][:BODY, :2] * frame.shape[0]
                of_all = view == whole(frame)
                cut_off = not of_all and view.contains(places).mean() < MOST_INSIDE
                if not (cut_off or person["presence"] < SURE or any(_is_same(person, other) for other, _ in found)):
                    found.append((person, view if of_all else square_around(places, ROOM, frame)))

    def _close(self, followers: "list[_Follower]") -> None:
        for follower in followers:
            self.followers.remove(follower)
            follower.close()

    def _drop_twins(self) -> None:
        """Of followers that have come to the same person, the surer one stays."""
        if len(self.followers) > 1:
            (kept,) = without_twins(np.array([[follower.person for follower in self.followers]]))
            self._close([f for f, is_kept in zip(self.followers, kept) if f.presence() and not is_kept])


class _Follower:
    """Follows one person and his hands, in a part of the picture.

    person: PERSON in the last frame, with joints outside the picture too, or nobody. last_seen: s.
    """

    def __init__(self, networks: Networks, view: Box, person: np.ndarray, seconds: float, with_hands: bool):
        self.networks, self.view = networks, view
        self.pose = networks.open_pose("VIDEO", 1)
        self.hands = [networks.open_hand("VIDEO", 1) for _ in range(2 if with_hands else 0)]  # left, right
        self.misses, self.wait = [0, 0], [0, 0]  # of each hand: thorough looks in vain, frames until the next
        self.person, self.last_seen = person, seconds

    def close(self) -> None:
        for network in (self.pose, *self.hands):
            self.networks.close(network)

    def presence(self) -> float:
        """Of the person followed; 0 where nobody is."""
        return float(self.person["presence"])

    def follows(self, person: np.ndarray) -> bool:
        """Whether it is this person whom it follows."""
        return _is_same(self.person, person)

    def show_alone(self, frame: np.ndarray, stamp: int) -> None:
        """Show the landmarker its person without the others in the frame: it goes on with whom it has."""
        box = square_around(self._places(frame), 1.3, frame)
        self.networks.people_in(self.pose, blackened(frame, box), self.view, stamp)

    def look(self, frame: np.ndarray, stamp: int, seconds: float) -> None:
        """At the next frame."""
        found = self.networks.people_in(self.pose, frame, self.view, stamp)
        self.person = found[0] if len(found) else nobody()
        if not len(found):
            return
        self.last_seen = seconds
        if self._is_near_edge(frame):
            self.networks.close(self.pose)
            self.pose = self.networks.open_pose("VIDEO", 1)
            self.view = square_around(self._places(frame), ROOM, frame)

    def _places(self, frame: np.ndarray) -> np.ndarray:
        return self.person["points"][:BODY, :2] * frame.shape[0]

    def _is_near_edge(self, frame: np.ndarray) -> bool:
        """Whether the person is about to leave the part of the picture in which he is followed."""
        height, width = frame.shape[:2]
        chest, margin = self.person["chest"] * height, EDGE * self.person["size"] * height
        left, top = chest - (self.view.left, self.view.top)
        right, bottom = self.view.width - left, self.view.height - top
        return bool(
            (left < margin and self.view.left > 0)
            or (top < margin and self.view.top > 0)
            or (right < margin and self.view.left + self.view.width < width)
            or (bottom < margin and self.view.top + self.view.height < height)
        )

    def seen(self, frame: np.ndarray) -> np.ndarray:
        """The person, whose joints outside the part of the frame that was looked at are not seen."""
        person = self.person.copy()
        person["points"][~self.view.contains(person["points"][:, :2] * frame.shape[0])] = (np.nan, np.nan, 0)
        return person

    def add_hands(self, frame: np.ndarray, stamp: int, thorough, threads: ThreadPoolExecutor) -> None:
        """Find the hands of the person. Each is followed around its wrist. One that is missing is looked for
        thoroughly, with both hands in view, but more and more seldom: it may be hidden."""
        body = self.person["points"]
        boxes = [_where_to_look(body, side, frame) for side in range(2)]
        looks = [(self.hands[side], frame, boxes[side], stamp) for side in range(2) if boxes[side]]
        hands = [hand for found in threads.map(lambda look: self.networks.hands_in(*look), looks) for hand in found]
        result = _of_person(hands, body)
        for side in range(2):
            if result[side] is not None or not boxes[side]:
                self.misses[side] = self.wait[side] = 0
            elif self.wait[side]:
                self.wait[side] -= 1
            else:
                hands += self.networks.hands_in(thorough, frame, boxes[side])
                result = _of_person(hands, body)
                self.misses[side] = 0 if result[side] is not None else self.misses[side] + 1
                self.wait[side] = min(2 ** self.misses[side] - 1, LONGEST_WAIT)
        for side, hand in enumerate(result):
            if hand is not None:
                first = BODY + HAND * side
                body[first : first + HAND] = np.column_stack([hand.points, np.full(HAND, hand.score)])


def _is_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two findings in one frame are of the same person; nobody is not."""
    size = max(one["size"], other["size"])
    return bool(np.linalg.norm(one["chest"] - other["chest"]) < ELSEWHERE * size)


def _of_person(hands: list[Hand], body: np.ndarray) -> list[Hand | None]:
    """[left, right] of those that were found around a person's wrists."""
    width = shoulder_width(body)
    return assign_hands(without_doubles(hands, width), body[[wrist for _, wrist in ARMS], :2], width)


def _where_to_look(body: np.ndarray, side: int, frame: np.ndarray) -> Box | None:
    """The square of a hand, if it may be seen there."""
    height, width = frame.shape[:2]
    box = square_of_hand(body, side, height)
    hidden = box is None or body[ARMS[side][1], 2] < HIDDEN or box.share_inside(width, height) < OUTSIDE
    return None if hidden else box


ESTIMATORS: dict[str, Callable[[PoseConfig], Estimator]] = {"mediapipe": MediaPipe}


def open_estimator(config: PoseConfig) -> Estimator:
    """The estimator that the configuration names."""
    if config.estimator not in ESTIMATORS:
        raise InputError("estimator", f"{config.estimator!r}", f"choose one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[config.estimator](config)
