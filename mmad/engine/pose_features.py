"""From landmark tracks to features: the pose network along a whole video of any length, and whole folders."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from mmad.config import PoseNetworkConfig
from mmad.data.feature_files import finished_track, save_track
from mmad.engine.checkpoint import weight_digest
from mmad.engine.skeleton_features import SkeletonFeatures
from mmad.engine.video_jobs import if_replaced, still_valid_sidecar
from mmad.errors import InputError
from mmad.files import output_folder
from mmad.labels import LabelSet
from mmad.models.pose_network import PoseNetwork
from mmad.pose.joint_inputs import JOINT_INPUTS, PART_LETTERS, POSITION, RADIUS, build_inputs, on_grid
from mmad.pose.landmark_files import load_landmarks
from mmad.pose.skeletons import mirror
from mmad.records import FeatureTrack, LandmarkTrack, TimeGrid
from mmad.video.opening import video_identity

REPLACED = if_replaced("is another file than its features were made from")
JOINTS = "pose_network/"  # begins the source of features of joints
WINDOW = 2048  # input steps that go through the network at once: bounds memory to some 50 MB


def build_pose_network(config: PoseNetworkConfig, labels: LabelSet, calibration: bool = False) -> PoseNetwork:
    """A pose network with random weights; the network of each body part sees the joint inputs of its part, or all."""
    inputs_of_part = [
        [i for i, item in enumerate(JOINT_INPUTS) if letter in item.parts or not config.groups]
        for letter in PART_LETTERS
    ]
    return PoseNetwork(inputs_of_part, labels, config, calibration)


class PoseFeatures:
    """A pose network in eval mode, ready to turn joints into features.

    Feature channels: the logits of all classes, those of all body parts, and the network's last layers.
    """

    def __init__(self, network: PoseNetwork, device: torch.device):
        self.network, self.device = network.to(device).eval(), device
        self.source = f"{JOINTS}{weight_digest(network)}"
        radius = RADIUS + network.radius
        self.margin = radius + radius % 2  # steps on either side that influence a step of the features; even

    def of_track(self, track: LandmarkTrack) -> FeatureTrack:
        points, grid = on_grid(track)
        return self.of_person(track.video_id, points, grid, track.duration)

    def of_person(self, video_id: str, points: np.ndarray, grid: TimeGrid, duration: float) -> FeatureTrack:
        """The features of one person in one video. points: (T, 75, 3) joints at the times of `grid`, FPS a second."""
        half_rate = TimeGrid(grid.start + 0.5 * grid.step, 2 * grid.step)
        return FeatureTrack(video_id, self.of_points(points), half_rate, duration, self.source)

    @torch.inference_mode()
    def of_points(self, points: np.ndarray) -> np.ndarray:
        """(T, 75, 3) joints at FPS -> (ceil(T / 2), C) float32."""
        of_windows = []
        for first, own_from, own_to in windows_with_margin(len(points), WINDOW, self.margin):
            features = self._of_window(points[first : own_to + self.margin])
            of_windows.append(features[(own_from - first) // 2 : (own_to - first + 1) // 2])
        return np.concatenate(of_windows)

    def _of_window(self, points: np.ndarray) -> np.ndarray:
        """Logits are averaged over three views: the joints, their mirror image, and their motion without positions.

        The three fail differently on people who are unlike those in training.
        """
        views = build_inputs(np.stack([points, mirror(points, 0.0), points], axis=1))
        views[:, 2, :, POSITION] = 0
        inputs = torch.from_numpy(views).transpose(0, 1).to(self.device)  # (views, T, I, 7)
        output = self.network(inputs, torch.ones(inputs.shape[:2], dtype=torch.bool, device=self.device))
        values = [output.logits.mean(dim=0), output.parts.mean(dim=0), output.features[0]]
        return torch.cat(values, dim=1).float().cpu().numpy()


def windows_with_margin(steps: int, length: int, margin: int) -> Iterator[tuple[int, int, int]]:
    """(first, own from, own to) of consecutive windows, each owning `length` steps, the last one what remains.

    The caller reads `margin` steps more on either side: from `first` to own to + margin, as far as there are steps.
    """
    for own_from in range(0, steps, length):
        yield max(own_from - margin, 0), own_from, min(own_from + length, steps)


# --- folders ----------------------------------------------------------------------------------------------------


def seen_runs(track: LandmarkTrack, rows: TimeGrid, count: int) -> list[list[int]]:
    """The runs [first, stop) of the rows of features in which any joint is seen; see `mmad.data.feature_files`.

    A row stands for the times nearer to it than to other rows, and for the time nearest to it.
    """
    points, grid = on_grid(track)
    any_joint = (points[..., 2] > 0).any(axis=1)  # (T,)
    nearest = np.round(grid.to_index(rows.to_seconds(np.arange(count)))).astype(int)
    seen = any_joint[nearest.clip(0, len(points) - 1)]
    row = np.round(rows.to_index(grid.to_seconds(np.flatnonzero(any_joint)))).astype(int)
    seen[row.clip(0, count - 1)] = True
    return np.flatnonzero(np.diff(np.pad(seen, 1).astype(int))).reshape(-1, 2).tolist()


def extract_pose_features(
    features: PoseFeatures | SkeletonFeatures, files: Sequence[Path], out: str | Path
) -> list[str]:
    """Write one feature file per landmark track into `out`; those finished for the very same track are skipped.

    Returns what went wrong, one line each.
    """
    out, problems, done = output_folder(out), [], 0
    print(f"features of joints by {features.source} on {features.device}", flush=True)
    for path in tqdm(files, unit=" tracks", leave=False, disable=None):
        try:
            track = load_landmarks(path)
            if still_valid_sidecar(finished_track(out, track.video_id, features.source), path, REPLACED):
                done += 1
                continue
            found = features.of_track(track)
            details = {**found.details, "video": {"file": path.name, **video_identity(path)}}
            seen = seen_runs(track, found.grid, len(found.values))
            if seen != [[0, len(found.values)]]:
                details["seen"] = seen
            save_track(out, replace(found, details=details))
        except InputError as error:
            problems.append(str(error))
    if done:
        print(f"{done} of {len(files)} tracks are done already")
    print(f"{len(files) - len(problems)} of {len(files)} tracks have features in {out}")
    return problems
