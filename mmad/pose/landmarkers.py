"""MediaPipe's pose and hand landmarkers, applied to parts of pictures; results are in picture heights.

They write to the terminal by themselves: call everything here within `quiet_stderr`.
"""

import importlib
import importlib.metadata

import numpy as np

from mmad.errors import InputError
from mmad.pose.boxes import Box, crop
from mmad.pose.estimated_people import empty_people, person_of
from mmad.pose.hands import Hand
from mmad.pose.model_files import INSTALL, find_model

MIN_HAND_CONFIDENCE = 0.3  # thresholds of the hand landmarker
UNUSABLE = (ValueError, RuntimeError, OSError, IndexError)  # what MediaPipe raises for bad files
SYSTEM_LIBRARIES = "install the system libraries (Debian, Ubuntu: apt install libgl1 libegl1 libgles2)"
LARGEST_CROP = 256  # crops for the hand landmarker are reduced to this side, pixels; its own inputs have 192 and 224


class Landmarkers:
    """Opens pose and hand landmarkers, runs them and closes them.

    kinds: "pose", or "pose" and "hand". models: folder of .task files, or empty. version: of MediaPipe.
    """

    def __init__(self, kinds: tuple[str, ...], models: str):
        self.files = {kind: find_model(kind, models) for kind in kinds}
        try:
            self.library = importlib.import_module("mediapipe")
            self.vision = importlib.import_module("mediapipe.tasks.python.vision")
        except ImportError as error:
            raise InputError("mediapipe", f"cannot be imported ({error})", _remedy(error, INSTALL)) from None
        self.version = importlib.metadata.version("mediapipe")
        self.opened: list = []

    @property
    def digests(self) -> dict[str, str]:
        """{name of the file: sha256 of its content}"""
        return {file.path.name: file.digest for file in self.files.values()}

    def open_pose(self, mode: str, people: int):
        """A new pose landmarker for so many people. mode: "VIDEO" tracks them from call to call, "IMAGE" does not."""
        return self._open("Pose", "pose", mode, num_poses=people)

    def open_hand(self, mode: str, hands: int):
        """A new hand landmarker for so many hands. mode: as in `open_pose`."""
        thresholds = ("min_hand_detection_confidence", "min_hand_presence_confidence", "min_tracking_confidence")
        return self._open("Hand", "hand", mode, num_hands=hands, **dict.fromkeys(thresholds, MIN_HAND_CONFIDENCE))

    def _open(self, name: str, kind: str, mode: str, **options):
        path = self.files[kind].path
        base = self.library.tasks.BaseOptions(model_asset_buffer=path.read_bytes())
        options = {"base_options": base, "running_mode": getattr(self.vision.RunningMode, mode), **options}
        options = getattr(self.vision, f"{name}LandmarkerOptions")(**options)
        try:
            landmarker = getattr(self.vision, f"{name}Landmarker").create_from_options(options)
        except UNUSABLE as error:
            problem = f"MediaPipe cannot use it ({str(error).splitlines()[0]})"
            raise InputError(path, problem, _remedy(error, "is it complete?")) from None
        self.opened.append(landmarker)
        return landmarker

    def close(self, landmarker) -> None:
        """Close one. Landmarkers that are still open when Python exits print errors."""
        self.opened.remove(landmarker)
        landmarker.close()

    def close_all(self) -> None:
        """Close all that are open."""
        while self.opened:
            self.opened.pop().close()

    def people_in(self, landmarker, frame: np.ndarray, box: Box, stamp: int | None = None) -> np.ndarray:
        """(P,) PERSON that a pose landmarker finds in a box of a frame, with joints outside it and without hands.

        stamp: time in ms, in VIDEO mode; must increase from call to call.
        """
        found = self._run(landmarker, crop(frame, box), stamp).pose_landmarks
        people = empty_people(len(found))
        for number, points in enumerate(found):
            values = np.array([(p.x, p.y, p.visibility, p.presence) for p in points])
            values[:, :2] = _in_heights(values[:, :2], box, frame)
            values[:, 2] = values[:, 2:].min(axis=1)
            people[number] = person_of(values[:, :3], values[:, 3])
        return people

    def hands_in(self, landmarker, frame: np.ndarray, box: Box, stamp: int | None = None) -> list[Hand]:
        """The hands that a hand landmarker finds in a box of a frame. stamp: as in `people_in`."""
        found = self._run(landmarker, crop(frame, box, LARGEST_CROP), stamp)
        hands = []
        for points, kinds in zip(found.hand_landmarks, found.handedness):
            positions = _in_heights(np.array([(p.x, p.y) for p in points]), box, frame)
            hands.append(Hand(positions, kinds[0].score, int(kinds[0].category_name == "Right")))
        return hands

    def _run(self, landmarker, pixels: np.ndarray, stamp: int | None):
        """pixels: contiguous, because MediaPipe ignores strides."""
        image = self.library.Image(image_format=self.library.ImageFormat.SRGB, data=pixels)
        return landmarker.detect(image) if stamp is None else landmarker.detect_for_video(image, stamp)


def _in_heights(points: np.ndarray, box: Box, frame: np.ndarray) -> np.ndarray:
    """Points (N, 2) as fractions of a box -> in picture heights."""
    return (points * (box.width, box.height) + (box.left, box.top)) / frame.shape[0]


def _remedy(error: Exception, otherwise: str) -> str:
    """What to do: bare Linux machines lack system libraries that MediaPipe and OpenCV link to."""
    return SYSTEM_LIBRARIES if ".so" in str(error) else otherwise
