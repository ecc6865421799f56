"""Joints of the people in single frames of a video, by networks that packages carry, chosen by name.

MediaPipe's pose network (BlazePose, https://arxiv.org/abs/2006.10204) follows people from frame to frame; its hand
network (https://arxiv.org/abs/2006.10214) looks at a square around each wrist: there it finds far more hands than in
the whole picture, where they are small.
"""

import importlib
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from mmad.config import PoseConfig
from mmad.errors import InputError
from mmad.pose.model_files import INSTALL, find_model
from mmad.pose.quiet import quiet_stderr
from mmad.pose.skeletons import LAYOUTS

LAYOUT = "mediapipe75"
JOINTS = len(LAYOUTS[LAYOUT])
BODY, HAND = 33, 21  # pose points, points of one hand
SHOULDERS = (11, 12)
ARMS = ((13, 15), (14, 16))  # elbow and wrist, left and right
LOWEST = 0.3  # confidence at which a hand counts as found
BEYOND_WRIST = 0.25  # middle of the square around a hand, in forearms from the wrist on
HALF_SIDE = 0.55  # of that square, in shoulder widths
LARGEST_CROP = 256  # pixels that the hand network is shown at most: its own input has 192 and 224


class Estimator(Protocol):
    """Finds people's joints in the frames of one video after another.

    source: what finds them, with what weights and settings; joints of another source are other joints.
    """

    source: str

    def begin(self, people: int) -> None:
        """Forget what was followed; from now on look for at most so many people."""

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        """(P, 75, 3) float32 joints of the people in an (H, W, 3) uint8 RGB frame, P = 0 where there is nobody.

        x, y in heights of the picture and the confidence, as in a `LandmarkTrack`; NaN, NaN, 0 where not seen or
        outside the picture. seconds: larger from call to call.
        """

    def close(self) -> None: ...


@dataclass(frozen=True)
class Square:
    """A part of a picture around a hand, in pixels: its top left corner and its side."""

    left: float
    top: float
    side: float


class MediaPipe:
    """MediaPipe's pose landmarker in VIDEO mode, its hand landmarker in IMAGE mode around each wrist."""

    def __init__(self, config: PoseConfig):
        self.mediapipe, self.vision = _import_mediapipe()
        self.config = config
        self.models = {
            kind: find_model(kind, config.models) for kind in (("pose", "hand") if config.hands else ("pose",))
        }
        digests = "+".join(f"{kind}-{model.digest[:12]}" for kind, model in self.models.items())
        self.source = f"mediapipe/{digests}"
        self.pose, self.hands = None, []
        self.threads = ThreadPoolExecutor(2)

    def begin(self, people: int) -> None:
        self._close_pose()
        self.people, self.last = people, -1
        with quiet_stderr():
            self.pose = self._landmarker("Pose", "pose", "VIDEO", num_poses=people)
            if self.config.hands and not self.hands:
                least = dict.fromkeys(("min_hand_detection_confidence", "min_hand_presence_confidence"), LOWEST)
                self.hands = [self._landmarker("Hand", "hand", "IMAGE", num_hands=1, **least) for _ in range(2)]

    def _landmarker(self, name: str, kind: str, mode: str, **options):
        make, kind_of_options = (
            getattr(self.vision, f"{name}Landmarker"),
            getattr(self.vision, f"{name}LandmarkerOptions"),
        )
        base = self.mediapipe.tasks.BaseOptions(model_asset_buffer=self.models[kind].path.read_bytes())
        mode = getattr(self.vision.RunningMode, mode)
        try:
            return make.create_from_options(kind_of_options(base_options=base, running_mode=mode, **options))
        except (ValueError, RuntimeError) as error:
            problem = f"MediaPipe cannot use it ({str(error).splitlines()[0]})"
            raise InputError(self.models[kind].path, problem, "is it the right file?") from None

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        stamp = self.last = max(round(1000 * seconds), self.last + 1)
        height, width = frame.shape[:2]
        with quiet_stderr():
            found = self.pose.detect_for_video(self._image(frame), stamp).pose_landmarks
            people = np.full((len(found), JOINTS, 3), np.nan, dtype=np.float32)
            for person, landmarks in zip(people, found):
                person[:BODY] = [(p.x * width / height, p.y, min(p.visibility, p.presence)) for p in landmarks]
                if self.config.hands:
                    self._add_hands(frame, person)
        return hide_outside(people, width / height)

    def _add_hands(self, frame: np.ndarray, person: np.ndarray) -> None:
        sides = [side for side in range(2) if (square := square_of_hand(person, side, frame.shape[0])) is not None]
        squares = [square_of_hand(person, side, frame.shape[0]) for side in sides]
        for side, hand in zip(sides, self.threads.map(self._hand_in, [frame] * 2, squares, self.hands)):
            if hand is not None:
                first = BODY + HAND * side
                person[first : first + HAND] = hand

    def _hand_in(self, frame: np.ndarray, square: Square, landmarker) -> np.ndarray | None:
        """(21, 3) x, y in heights of the picture and the score of the hand in a square; None where there is none."""
        found = landmarker.detect(self._image(cut(frame, square, LARGEST_CROP)))
        if not found.hand_landmarks:
            return None
        score = found.handedness[0][0].score
        places = np.array([(p.x, p.y) for p in found.hand_landmarks[0]])
        places = (places * square.side + (square.left, square.top)) / frame.shape[0]
        return np.column_stack([places, np.full(HAND, score)])

    def _image(self, frame: np.ndarray):
        # MediaPipe takes the address of the first byte and believes that rows follow each other.
        return self.mediapipe.Image(image_format=self.mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))

    def _close_pose(self) -> None:
        if self.pose is not None:
            with quiet_stderr():
                self.pose.close()
            self.pose = None

    def close(self) -> None:
        self._close_pose()
        self.threads.shutdown()
        with quiet_stderr():
            while self.hands:
                self.hands.pop().close()


ESTIMATORS = {"mediapipe": MediaPipe}


def open_estimator(config: PoseConfig) -> Estimator:
    """The estimator that the configuration names."""
    return ESTIMATORS[config.estimator](config)


def square_of_hand(person: np.ndarray, side: int, height: int) -> Square | None:
    """Where the left (0) or right (1) hand of a person (75, 3) should be; None where that cannot be said."""
    shoulders, (elbow, wrist) = person[list(SHOULDERS), :2], person[list(ARMS[side]), :2]
    width = math.dist(*shoulders)
    if not width > 0:  # NaN too
        return None
    middle, half = wrist + BEYOND_WRIST * (wrist - elbow), HALF_SIDE * width
    left, top = (middle - half) * height
    return Square(float(left), float(top), float(2 * half * height))


def cut(frame: np.ndarray, square: Square, largest: int) -> np.ndarray:
    """The (S, S, 3) pixels of a square, S at most `largest`; black where it reaches out of the picture."""
    side = max(min(round(square.side), largest), 1)
    scale = square.side / side
    corner = (scale, 0, square.left, 0, scale, square.top)
    return np.asarray(Image.fromarray(frame).transform((side, side), Image.Transform.AFFINE, corner, Image.BILINEAR))


def hide_outside(people: np.ndarray, aspect: float) -> np.ndarray:
    """The same (P, J, 3), with NaN, NaN, 0 for joints outside a picture that is `aspect` heights wide."""
    x, y = people[..., 0], people[..., 1]
    inside = (x >= 0) & (x <= aspect) & (y >= 0) & (y <= 1)
    people[~inside] = (np.nan, np.nan, 0)
    return people


def _import_mediapipe():
    """(mediapipe, its vision tasks); `InputError` where it is not installed."""
    try:
        with quiet_stderr():
            return importlib.import_module("mediapipe"), importlib.import_module("mediapipe.tasks.python.vision")
    except ImportError as error:
        raise InputError("mediapipe", f"cannot be imported ({error})", INSTALL) from None
