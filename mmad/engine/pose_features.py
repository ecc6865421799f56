"""Landmark tracks to features: the pose network along a whole video, however long."""

from collections.abc import Iterator

import numpy as np
import torch

from mmad.config import PoseNetworkConfig
from mmad.engine.checkpoint import weight_digest
from mmad.labels import LabelSet
from mmad.models.pose_network import PoseNetwork
from mmad.pose.features import GROUPS, PLACE, PLACES, REACH, describe
from mmad.pose.skeletons import mirror
from mmad.records import FeatureTrack, TimeGrid

STRETCH = 2048  # steps that are described and go through the network at once: bounds memory, some 50 MB


def build_pose_network(config: PoseNetworkConfig, labels: LabelSet) -> PoseNetwork:
    """A network of random weights; each body part's sees the places of its own group."""
    seen_by = [[i for i, place in enumerate(PLACES) if group in place.groups] for group in GROUPS]
    return PoseNetwork(seen_by, labels, config)


class PoseFeatures:
    """A pose network in eval mode, ready to turn landmark tracks into features.

    A row, one for two steps: the logits of all classes, those of all body parts, and the network's last layer.
    """

    def __init__(self, network: PoseNetwork, device: torch.device):
        self.network, self.device = network.to(device).eval(), device
        self.source = f"pose_network/{weight_digest(network)}"

    def of_person(self, video_id: str, points: np.ndarray, grid: TimeGrid, duration: float) -> FeatureTrack:
        """The features of one person in one video, whose joints are points (T, 75, 3) at the times of `grid`, FPS."""
        rows = TimeGrid(grid.start + 0.5 * grid.step, 2 * grid.step)
        return FeatureTrack(video_id, self.of_points(points), rows, duration, self.source)

    @torch.inference_mode()
    def of_points(self, points: np.ndarray) -> np.ndarray:
        """(T, 75, 3) joints at FPS -> (ceil(T / 2), C) float32."""
        parts = []
        for first, own_from, own_to in stretches(len(points), STRETCH, self._margin()):
            rows = self._of_stretch(points[first : own_to + self._margin()])
            parts.append(rows[(own_from - first) // 2 : (own_to - first + 1) // 2])
        return np.concatenate(parts)

    def _of_stretch(self, points: np.ndarray) -> np.ndarray:
        """The logits are means over what the network says of the joints as they are, in a mirror, and of their motion
        alone: three views of one thing, which err differently on people who are unlike those of training."""
        views = describe(np.stack([points, mirror(points, 0.0), points], axis=1))
        views[:, 2, :, PLACE] = 0
        joints = torch.from_numpy(views).transpose(0, 1).to(self.device)
        output = self.network(joints, torch.ones(joints.shape[:2], dtype=torch.bool, device=self.device))
        values = [output.logits.mean(dim=0), output.parts.mean(dim=0), output.features[0]]
        return torch.cat(values, dim=1).float().cpu().numpy()

    def _margin(self) -> int:
        """Steps to either side that have a say in a row; even."""
        return REACH + self.network.reach + (REACH + self.network.reach) % 2


def stretches(steps: int, length: int, margin: int) -> Iterator[tuple[int, int, int]]:
    """(first, own from, own to) of parts of a sequence, each seen from `margin` before to `margin` behind its own."""
    for own_from in range(0, steps, length):
        yield max(own_from - margin, 0), own_from, min(own_from + length, steps)
