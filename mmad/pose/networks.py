"""MediaPipe's landmarkers: opened, shown parts of pictures, read in heights of the picture, and closed.

They write to the terminal by themselves: call everything here inside `quiet_stderr`.
"""

import importlib
import importlib.metadata

import numpy as np

from mmad.errors import InputError
from mmad.pose.hands import Hand
from mmad.pose.model_files import INSTALL, find_model
from mmad.pose.people import nobody, person_of
from mmad.pose.views import Box, cut

LEAST_HAND = 0.3  # confidence from which a hand counts as found
UNUSABLE = (ValueError, RuntimeError, OSError, IndexError)  # what MediaPipe makes of bad files
SYSTEM_LIBRARIES = "install the system libraries (Debian, Ubuntu: apt install libgl1 libegl1 libgles2)"
LARGEST_CROP = 256  # pixels that the hand network is shown at most: its own inputs have 192 and 224


class Networks:
    """The pose and hand landmarkers that are open. kinds: "pose", or "pose" and "hand". models: a folder, or empty.

    digests: of the files, by name. version: of MediaPipe.
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
        return {file.path.name: file.digest for file in self.files.values()}

    def open_pose(self, mode: str, people: int):
        """A pose landmarker. mode: "VIDEO" follows people from call to call, "IMAGE" does not."""
        return self._open("Pose", "pose", mode, num_poses=people)

    def open_hand(self, mode: str, hands: int):
        """A hand landmarker."""
        least = ("min_hand_detection_confidence", "min_hand_presence_confidence", "min_tracking_confidence")
        return self._open("Hand", "hand", mode, num_hands=hands, **dict.fromkeys(least, LEAST_HAND))

    def _open(self, name: str, kind: str, mode: str, **options):
        path = self.files[kind].path
        base = self.library.tasks.BaseOptions(model_asset_buffer=path.read_bytes())
        options = {"base_options": base, "running_mode": getattr(self.vision.RunningMode, mode), **options}
        described = getattr(self.vision, f"{name}LandmarkerOptions")(**options)
        try:
            network = getattr(self.vision, f"{name}Landmarker").create_from_options(described)
        except UNUSABLE as error:
            said = f"MediaPipe cannot use it ({str(error).splitlines()[0]})"
            raise InputError(path, said, _remedy(error, "is it whole?")) from None
        self.opened.append(network)
        return network

    def close(self, network) -> None:
        """By hand: those that are left to the end of the interpreter complain then."""
        self.opened.remove(network)
        network.close()

    def close_all(self) -> None:
        while self.opened:
            self.opened.pop().close()

    def people_in(self, network, frame: np.ndarray, view: Box, stamp: int | None = None) -> np.ndarray:
        """(P,) PERSON that a pose landmarker finds in a view of a frame, with joints outside it and without hands.

        stamp: ms, in VIDEO mode, more from call to call.
        """
        found = self._look(network, cut(frame, view), stamp).pose_landmarks
        people = nobody(len(found))
        for number, points in enumerate(found):
            values = np.array([(p.x, p.y, p.visibility, p.presence) for p in points])
            values[:, :2] = _in_heights(values[:, :2], view, frame)
            values[:, 2] = values[:, 2:].min(axis=1)
            people[number] = person_of(values[:, :3], values[:, 3])
        return people

    def hands_in(self, network, frame: np.ndarray, view: Box, stamp: int | None = None) -> list[Hand]:
        """What a hand landmarker finds in a view of a frame, as `people_in`."""
        found = self._look(network, cut(frame, view, LARGEST_CROP), stamp)
        hands = []
        for points, kinds in zip(found.hand_landmarks, found.handedness):
            places = _in_heights(np.array([(p.x, p.y) for p in points]), view, frame)
            hands.append(Hand(places, kinds[0].score, int(kinds[0].category_name == "Right")))
        return hands

    def _look(self, network, pixels: np.ndarray, stamp: int | None):
        """pixels: contiguous; MediaPipe takes where they begin and how many, and no strides."""
        image = self.library.Image(image_format=self.library.ImageFormat.SRGB, data=pixels)
        return network.detect(image) if stamp is None else network.detect_for_video(image, stamp)


def _in_heights(places: np.ndarray, view: Box, frame: np.ndarray) -> np.ndarray:
    """(N, 2) fractions of a view as heights of the frame."""
    return (places * (view.width, view.height) + (view.left, view.top)) / frame.shape[0]


def _remedy(error: Exception, otherwise: str) -> str:
    """Bare Linux machines lack system libraries that MediaPipe and OpenCV link to."""
    return SYSTEM_LIBRARIES if ".so" in str(error) else otherwise
