"""Joints of the people in a video, frame by frame, by networks that packages carry; chosen by name.

MediaPipe's pose network (BlazePose, https://arxiv.org/abs/2006.10204) follows people from frame to frame; its hand
network (https://arxiv.org/abs/2006.10214) is shown the surroundings of each wrist: in the whole picture, where hands
are small, it finds far fewer.
"""

import importlib
import importlib.metadata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from PIL import Image

from mmad.config import PoseConfig
from mmad.errors import InputError
from mmad.pose.hands import ARMS, Hand, Square, assign_hands, shoulder_width, square_of_hand, without_doubles
from mmad.pose.model_files import INSTALL, find_model
from mmad.pose.people import is_there, nobody, person_of
from mmad.pose.quiet import quiet_stderr

LAYOUT = "mediapipe75"
BODY, HAND = 33, 21  # pose points; points of one hand
LEAST_HAND = 0.3  # confidence from which a hand counts as found
LARGEST_CROP = 256  # pixels that the hand network is shown at most: its own input has 192 and 224
HIDDEN, OUTSIDE = (
    0.02,
    0.1,
)  # visibility of a wrist, and share of its square in the picture: below, no hand is looked for
LONGEST_WAIT = 7  # frames until a hand that was not found is looked for more thoroughly again
LOOK_AROUND = 2.0  # s between looks at who else is in the picture, where one person is followed
SURE = 0.9  # presence from which somebody counts in them
LARGER = 1.25  # by which somebody else must be larger to be followed instead
ELSEWHERE = 0.5  # sizes from which two people are not the same


class Estimator(Protocol):
    """Finds the people in the frames of one video after another.

    source: the networks and a digest of their weights: joints of another source are other joints. settings: the same in
    full, for the record. most_people: seen at once in the video so far.
    """

    source: str
    settings: dict
    most_people: int

    def begin(self, people: int) -> None:
        """A new video, in which at most so many people are followed; of more than one person, the largest."""

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        """(P,) array of `people.PERSON`: who is in an (H, W, 3) uint8 RGB frame; P = 0 is nobody.

        A joint outside the picture is not seen. seconds: more from frame to frame.
        """

    def close(self) -> None: ...


class MediaPipe:
    """MediaPipe's pose landmarker in VIDEO mode, and its hand landmarker on a square around each wrist."""

    def __init__(self, config: PoseConfig):
        self.library, self.vision = _import_mediapipe()
        self.with_hands, self.max_people = config.hands, config.max_people
        kinds = ("pose", "hand") if config.hands else ("pose",)
        self.models = {kind: find_model(kind, config.models) for kind in kinds}
        self.source = "mediapipe/" + "+".join(f"{kind}-{model.digest[:12]}" for kind, model in self.models.items())
        self.settings = {
            "estimator": "mediapipe",
            "version": importlib.metadata.version("mediapipe"),
            "models": {model.path.name: model.digest for model in self.models.values()},
        }
        self.threads = ThreadPoolExecutor(2)
        self.opened: list = []
        self.most_people = 0

    def begin(self, people: int) -> None:
        self._close_networks()
        self.people, self.most_people, self.stamp = people, 0, -1
        with quiet_stderr():
            self.pose = self._open_pose("VIDEO", people)
            self.everybody = self._open_pose("IMAGE", self.max_people) if people == 1 else None
            self.thorough = self._open_hand("IMAGE", 2) if self.with_hands else None
        self.hands: list[_TwoHands] = []  # of each person
        self.looked, self.followed = -np.inf, nobody(1)

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        frame = np.ascontiguousarray(frame)
        with quiet_stderr():
            if self.people == 1 and seconds >= self.looked + LOOK_AROUND:
                self.looked = seconds
                self._look_around(frame, seconds)
            people = self._people(self.pose.detect_for_video(self._image(frame), self._next_stamp(seconds)), frame)
            self.followed = people[:1]
            self.most_people = max(self.most_people, len(people))
            for number, person in enumerate(people if self.with_hands else ()):
                self._add_hands(number, person, frame)
        return _without_outside(people, frame.shape[1] / frame.shape[0])

    def close(self) -> None:
        self._close_networks()
        self.threads.shutdown()

    # --- people ---

    def _people(self, found, frame: np.ndarray) -> np.ndarray:
        """(P,) PERSON of what the pose landmarker found, with joints outside the picture and no hands."""
        people = nobody(len(found.pose_landmarks))
        for number, points in enumerate(found.pose_landmarks):
            values = np.array([(p.x, p.y, p.visibility, p.presence) for p in points])
            values[:, 0] *= frame.shape[1] / frame.shape[0]
            values[:, 2] = values[:, 2:].min(axis=1)
            people[number] = person_of(values[:, :3], values[:, 3])
        return people

    def _look_around(self, frame: np.ndarray, seconds: float) -> None:
        """Follow the largest person in the picture, if somebody much smaller is followed.

        The pose landmarker goes on with whom it has. So it is made anew and shown that person alone.
        """
        found = self._people(self.everybody.detect(self._image(frame)), frame)
        found = found[found["presence"] >= SURE]
        self.most_people = max(self.most_people, len(found))
        if len(found) < 2:
            return
        largest = found[np.argmax(found["size"])]
        if is_there(self.followed).any():
            (followed,) = self.followed
            apart = np.linalg.norm(largest["chest"] - followed["chest"]) / largest["size"]
            if apart < ELSEWHERE or largest["size"] < LARGER * followed["size"]:
                return
        self._close(self.pose)
        self.pose = self._open_pose("VIDEO", 1)
        self.pose.detect_for_video(self._image(_alone(frame, largest)), self._next_stamp(seconds))

    # --- hands ---

    def _add_hands(self, number: int, person: np.ndarray, frame: np.ndarray) -> None:
        """Find the hands of person `number` of the frame and put their points to his."""
        while len(self.hands) <= number:
            self.hands.append(_TwoHands([self._open_hand("VIDEO", 1) for _ in range(2)]))
        found = self.hands[number].find(person["points"], frame, self._hands_in, self.thorough, self.threads)
        for side, hand in enumerate(found):
            if hand is not None:
                first = BODY + HAND * side
                person["points"][first : first + HAND] = np.column_stack([hand.points, np.full(HAND, hand.score)])

    def _hands_in(self, landmarker, frame: np.ndarray, square: Square) -> list[Hand]:
        """The hands in a square of a frame."""
        image = self._image(_cut(frame, square, LARGEST_CROP))
        if landmarker is self.thorough:
            found = landmarker.detect(image)
        else:
            found = landmarker.detect_for_video(image, self.stamp)
        hands = []
        for points, kinds in zip(found.hand_landmarks, found.handedness):
            places = np.array([(p.x, p.y) for p in points]) * square.side + (square.left, square.top)
            hands.append(Hand(places / frame.shape[0], kinds[0].score, int(kinds[0].category_name == "Right")))
        return hands

    # --- networks ---

    def _image(self, frame: np.ndarray):
        """frame: contiguous; MediaPipe takes where it begins and its size, and no strides."""
        return self.library.Image(image_format=self.library.ImageFormat.SRGB, data=frame)

    def _next_stamp(self, seconds: float) -> int:
        """ms, as MediaPipe wants them: more from call to call."""
        self.stamp = max(round(1000 * seconds), self.stamp + 1)
        return self.stamp

    def _open_pose(self, mode: str, people: int):
        return self._open("Pose", "pose", mode, num_poses=people)

    def _open_hand(self, mode: str, hands: int):
        least = ("min_hand_detection_confidence", "min_hand_presence_confidence", "min_tracking_confidence")
        return self._open("Hand", "hand", mode, num_hands=hands, **dict.fromkeys(least, LEAST_HAND))

    def _open(self, name: str, kind: str, mode: str, **options):
        path = self.models[kind].path
        base = self.library.tasks.BaseOptions(model_asset_buffer=path.read_bytes())
        options = {"base_options": base, "running_mode": getattr(self.vision.RunningMode, mode), **options}
        described = getattr(self.vision, f"{name}LandmarkerOptions")(**options)
        try:
            network = getattr(self.vision, f"{name}Landmarker").create_from_options(described)
        except (ValueError, RuntimeError) as error:
            raise InputError(path, f"MediaPipe cannot use it ({str(error).splitlines()[0]})", "is it whole?") from None
        self.opened.append(network)
        return network

    def _close(self, network) -> None:
        """By hand: those that are left to the end of the interpreter complain then."""
        self.opened.remove(network)
        network.close()

    def _close_networks(self) -> None:
        with quiet_stderr():
            while self.opened:
                self.opened.pop().close()


class _TwoHands:
    """The hands of one person. Each is followed around its wrist; which is missing is looked for thoroughly, with both
    hands in view, but more and more seldom: it may be hidden."""

    def __init__(self, followers: list):
        self.followers = followers  # of the left and of the right hand
        self.misses, self.wait = [0, 0], [0, 0]

    def find(
        self, body: np.ndarray, frame: np.ndarray, hands_in: Callable[..., list[Hand]], thorough, threads
    ) -> list[Hand | None]:
        """[left, right] of a body (75, 3). hands_in(network, frame, square): what a network finds there."""
        squares = [_where_to_look(body, side, frame) for side in range(2)]
        looks = [(self.followers[side], frame, squares[side]) for side in range(2) if squares[side]]
        hands = [hand for found in threads.map(lambda look: hands_in(*look), looks) for hand in found]
        wrists, width = body[[wrist for _, wrist in ARMS], :2], shoulder_width(body)
        result = assign_hands(without_doubles(hands, width), wrists, width)
        for side in range(2):
            if result[side] is not None or not squares[side]:
                self.misses[side] = self.wait[side] = 0
            elif self.wait[side]:
                self.wait[side] -= 1
            else:
                hands += hands_in(thorough, frame, squares[side])
                result = assign_hands(without_doubles(hands, width), wrists, width)
                self.misses[side] = 0 if result[side] is not None else self.misses[side] + 1
                self.wait[side] = min(2 ** self.misses[side] - 1, LONGEST_WAIT)
        return result


ESTIMATORS: dict[str, Callable[[PoseConfig], Estimator]] = {"mediapipe": MediaPipe}


def open_estimator(config: PoseConfig) -> Estimator:
    """The estimator that the configuration names."""
    if config.estimator not in ESTIMATORS:
        raise InputError("estimator", f"{config.estimator!r}", f"choose one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[config.estimator](config)


def _where_to_look(body: np.ndarray, side: int, frame: np.ndarray) -> Square | None:
    """The square of a hand, if it may be seen there."""
    height, width = frame.shape[:2]
    square = square_of_hand(body, side, height)
    hidden = square is None or body[ARMS[side][1], 2] < HIDDEN or square.share_inside(width, height) < OUTSIDE
    return None if hidden else square


def _cut(frame: np.ndarray, square: Square, largest: int) -> np.ndarray:
    """The (S, S, 3) pixels of a square, S at most `largest`; black where it reaches out of the picture."""
    picture = Image.fromarray(frame)
    part = picture.crop((square.left, square.top, square.left + square.side, square.top + square.side))
    if square.side > largest:
        part = part.resize((largest, largest), Image.Resampling.BILINEAR)
    return np.array(part)


def _alone(frame: np.ndarray, person: np.ndarray) -> np.ndarray:
    """The frame, black but for the surroundings of a PERSON."""
    height, width = frame.shape[:2]
    places, margin = person["points"][:BODY, :2], 0.5 * person["size"]
    left, top = np.clip((places.min(axis=0) - margin) * height, 0, (width, height)).astype(int)
    right, bottom = np.clip((places.max(axis=0) + margin) * height, 0, (width, height)).astype(int)
    alone = np.zeros_like(frame)
    alone[top:bottom, left:right] = frame[top:bottom, left:right]
    return alone


def _without_outside(people: np.ndarray, aspect: float) -> np.ndarray:
    """The same (P,) PERSON; joints outside a picture that is `aspect` heights wide are not seen."""
    x, y = people["points"][..., 0], people["points"][..., 1]
    people["points"][~((x >= 0) & (x <= aspect) & (y >= 0) & (y <= 1))] = (np.nan, np.nan, 0)
    return people


def _import_mediapipe() -> tuple:
    """(mediapipe, its vision tasks); `InputError` where it is not installed."""
    try:
        with quiet_stderr():
            return importlib.import_module("mediapipe"), importlib.import_module("mediapipe.tasks.python.vision")
    except ImportError as error:
        raise InputError("mediapipe", f"cannot be imported ({error})", INSTALL) from None
