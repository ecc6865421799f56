"""Is it the motion or the frame? The 52 rendered actions told apart by where joints are in the picture, without pixels.

python benchmarks/motions.py [--clips 2496] [--side 64] [--moments 8]

The same clips as `make_synthetic.py --videos 0 --clips N --size 112x112` draws. A forest of trees sees 22 joints as
the camera sees them, at as many moments as MANet: exactly, and rounded to whole pixels of a frame `side` pixels wide.
What is told apart by exact joints has a motion of its own; what rounding loses is smaller than a pixel of such a frame.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from tqdm import tqdm

from mmad.config import RenderConfig
from mmad.errors import run_command
from mmad.labels import MMA52
from mmad.render.body import unit
from mmad.render.perform import perform
from mmad.render.plans import SUBSETS, plan_clips
from mmad.render.pose import SIDES
from mmad.render.scene import make_scene
from mmad.video.sampling import frame_of_each_part

TRUNK = ("root", "spine03", "spine01")
LIMBS = ("upperarm01", "lowerarm01", "wrist", "finger2-3", "upperleg01", "lowerleg01", "foot", "toe1-1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2496)
    parser.add_argument("--side", type=int, default=64, help="pixels of the frame in which joints are rounded")
    parser.add_argument("--moments", type=int, default=8, help="of a clip that are seen; MANet sees 8")
    args = parser.parse_args()
    config = RenderConfig(videos=0, clips=args.clips)
    tracks, labels = zip(*(joints_of(config, subset, args.moments) for subset in SUBSETS))
    exact = predict(*(features(track) for track in tracks), labels[0])
    rounded = predict(*(features(np.round(track * args.side) / args.side) for track in tracks), labels[0])
    print(f"| action | exact | whole pixels of {args.side} | taken for |\n|---|---|---|---|")
    for label, name in enumerate(MMA52.actions):
        mine = labels[1] == label
        wrong = Counter(MMA52.actions[k] for k in exact[mine] if k != label).most_common(2)
        taken = ", ".join(f"{other} {count}" for other, count in wrong)
        print(
            f"| {name} | {(exact[mine] == label).sum()} of {mine.sum()} | {(rounded[mine] == label).sum()} | {taken} |"
        )
    print(f"| all, % | {100 * (exact == labels[1]).mean():.1f} | {100 * (rounded == labels[1]).mean():.1f} | |")


def joints_of(config: RenderConfig, subset: str, moments: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, moments, J, 2) places of joints in units of the frame's height, and (N,) labels."""
    tracks, labels = [], []
    for plan in tqdm(plan_clips(Path("."), config, subset), disable=None):
        generator, person = np.random.default_rng(plan.key), np.random.default_rng(plan.person)
        pose = perform(plan.timeline, generator)
        scene = make_scene(pose, set(), person, generator)
        body, now = scene.body, scene.body.transforms(pose)
        bones = [*TRUNK, *(f"{limb}.{side}" for limb in LIMBS for side in SIDES)]
        places = [now.apply(body.anatomy.bones[bone], body.head(bone)) for bone in bones]
        head = body.anatomy.bones["head"]
        places += [now.apply(head, body.vertices[body.landmark(name, side)]) for name, side in HEAD]
        tracks.append(project(np.stack(places, axis=1), scene.room)[frame_of_each_part(plan.timeline.frames, moments)])
        labels.append(MMA52.index[plan.timeline.actions[0].name])
    return np.stack(tracks), np.array(labels)


HEAD = (("nose", "L"), ("ear", "L"), ("ear", "R"))


def project(points: np.ndarray, room) -> np.ndarray:
    """(..., 3) metres -> (..., 2) right and down, in frame heights."""
    forward = unit(room.target - room.camera)
    right = unit(np.cross(forward, (0.0, 0.0, 1.0)))
    up = np.cross(right, forward)
    ray = points - room.camera
    depth = (ray @ forward) / room.zoom
    return np.stack([ray @ right / depth, -(ray @ up) / depth], axis=-1)


def features(track: np.ndarray) -> np.ndarray:
    """(N, F): places relative to the hips in the middle of the clip, how far and how often each joint moves."""
    place = track - track[:, :, :1].mean(axis=1, keepdims=True)
    middle = place[:, track.shape[1] // 4 : -track.shape[1] // 4].mean(axis=1)
    speed = np.diff(track, axis=1)
    turns = (np.sign(speed[:, 1:]) != np.sign(speed[:, :-1])) * np.abs(speed[:, 1:])
    parts = [middle, middle - place[:, 0], track.std(axis=1), np.ptp(track, axis=1), np.abs(speed).mean(axis=1)]
    parts += [turns.mean(axis=1), np.abs(np.fft.rfft(track - track.mean(axis=1, keepdims=True), axis=1))[:, 1:]]
    nose = place[:, :, -3] - 0.5 * (place[:, :, -2] + place[:, :, -1])  # where the face points
    tilt = place[:, :, -2] - place[:, :, -1]
    for extra in (nose, tilt):
        parts += [
            extra.mean(axis=1),
            extra.std(axis=1),
            np.ptp(extra, axis=1),
            np.abs(np.diff(extra, axis=1)).mean(axis=1),
        ]
    return np.concatenate([part.reshape(len(track), -1) for part in parts], axis=1)


def predict(train: np.ndarray, val: np.ndarray, labels: np.ndarray) -> np.ndarray:
    forest = ExtraTreesClassifier(600, max_features=0.15, random_state=0)
    return forest.fit(train, labels).predict(val)


if __name__ == "__main__":
    run_command(main)
