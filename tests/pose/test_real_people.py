"""Joints of real people beside those that another version of the estimator found, where the research data are."""

import numpy as np
import pytest
from pose_estimator import estimator_runs

from mmad.config import PoseConfig
from mmad.engine.pose_extractor import estimate_video
from mmad.pose.landmark_files import load_landmarks

needs_estimator = pytest.mark.skipif(
    not estimator_runs(),
    reason="MediaPipe's estimators cannot run: pip install 'mmad[pose]', on Linux also libGL, libEGL and libGLESv2",
)
BODY = slice(33)


@needs_estimator
@pytest.mark.shared
@pytest.mark.parametrize(("clip", "track"), [("0035_02_0007", "real_004"), ("0020_01_0008", "real_002")])
def test_joints_agree_and_hands_are_found(shared, clip, track):
    path, known = (shared / "data" / name for name in (f"ma52_samples/{clip}.mp4", f"real/landmarks/{track}.npz"))
    if not (path.exists() and known.exists()):
        pytest.skip("this copy of the research data has no real people")
    (found,), known = estimate_video(path, PoseConfig()), load_landmarks(known)
    rows = np.abs(found.times[None] - known.times[:, None]).argmin(axis=1)
    shoulders = np.linalg.norm(found.points[:, 11, :2] - found.points[:, 12, :2], axis=1).mean()
    apart = np.linalg.norm(found.points[rows, BODY, :2] - known.points[:, BODY, :2], axis=2) / shoulders
    assert np.median(apart) < 0.03 and np.nanpercentile(apart, 95) < 0.1
    assert found.seen.mean() > 0.97  # both hands in nearly every frame
