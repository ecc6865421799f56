"""Appearance of a person and of the room: body shape, clothes, hair, accessories, furniture; solids by `trimesh`."""

from dataclasses import dataclass, field

import numpy as np
import trimesh

from mmad.render.body import Body
from mmad.render.pose import SIDES, STANDING

SKIN = ((92, 58, 42), (141, 92, 66), (189, 133, 100), (224, 172, 138), (240, 200, 172))  # RGB
HAIR = ((25, 22, 20), (60, 40, 28), (112, 76, 44), (176, 140, 88), (150, 150, 148))


@dataclass
class Look:
    """Appearance of a person. Colours are RGB in 0..255.

    hair_length: metres below the crown, 0 for a shaved head. sleeves, legs: share of arm and leg that shirt and
    trousers cover, 0..1.
    """

    skin: np.ndarray
    hair: np.ndarray
    hair_length: float
    shirt: np.ndarray
    trousers: np.ndarray
    shoes: np.ndarray
    sleeves: float
    legs: float
    glasses: bool
    held: dict[str, str] = field(default_factory=dict)  # {side: object in that hand, of OBJECTS}


@dataclass
class Room:
    """The room that a person sits in. Colours are RGB in 0..255.

    boxes: things at the wall, (centre, size, colour). camera, target: positions, metres. zoom: focal length in frame
    heights. light: direction towards it. ambient, exposure: factors on the brightness. noise: standard deviation of the
    camera's noise, grey levels. seat, table: as in `Pose`.
    """

    wall: np.ndarray
    floor: np.ndarray
    chair: np.ndarray
    backrest: bool
    boxes: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    camera: np.ndarray
    target: np.ndarray
    zoom: float
    light: np.ndarray
    ambient: float
    exposure: float
    noise: float
    seat: float
    table: bool = False


def make_look(generator: np.random.Generator) -> Look:
    def colour() -> np.ndarray:
        return np.clip(generator.uniform(40, 235) + generator.normal(0, 35, 3), 20, 250)

    return Look(
        skin=mixed_colour(SKIN, generator),
        hair=mixed_colour(HAIR, generator),
        hair_length=float(generator.choice([0.0, 0.10, 0.14, 0.30, 0.38], p=[0.08, 0.32, 0.25, 0.2, 0.15])),
        shirt=colour(),
        trousers=colour() * 0.75,
        shoes=colour() * 0.6,
        sleeves=float(generator.choice([0.45, 1.0], p=[0.4, 0.6])),
        legs=float(generator.choice([0.45, 1.0], p=[0.15, 0.85])),
        glasses=generator.random() < 0.3,
    )


def make_room(generator: np.random.Generator, body: Body, seat: float = 0.0, lift: float = 0.0) -> Room:
    """A random room, with a camera that has the whole person in view, from the front or a little from the side.

    seat, lift: as in `Pose`; lift is its maximum.
    """

    def pale() -> np.ndarray:
        return np.clip(generator.uniform(120, 245) + generator.normal(0, 12, 3), 60, 250)

    tall = body.seat(min(seat + lift, STANDING))[2] + body.vertices[:, 2].max()
    aside = np.radians(generator.uniform(-28, 28))
    away = tall * generator.uniform(2.3, 3.2)
    target = np.array([0.0, -0.22 * np.sqrt(1 - seat**2), 0.465 * tall]) + generator.normal(0, 0.025, 3)
    camera = target + away * np.array([np.sin(aside), -np.cos(aside), generator.uniform(-0.02, 0.30)])
    sun = generator.uniform(-1, 1)
    boxes = []
    for i in range(int(generator.integers(0, 5))):
        centre = np.array([generator.uniform(-2, 2), 1.55 - 0.02 * i, generator.uniform(0.3, 2.0)])
        size = np.array([generator.uniform(0.2, 1.0), 0.06, generator.uniform(0.2, 1.2)])
        boxes.append((centre, size, pale() * generator.uniform(0.4, 1.0)))
    return Room(
        wall=pale(),
        floor=pale() * 0.8,
        chair=pale() * generator.uniform(0.25, 0.8),
        backrest=bool(generator.random() < 0.5),
        boxes=boxes,
        camera=camera,
        target=target,
        zoom=away / tall * generator.uniform(0.77, 0.85),
        light=np.array([sun, -1.0, generator.uniform(0.7, 1.6)]),
        ambient=generator.uniform(0.5, 0.7),
        exposure=generator.uniform(0.95, 1.25),
        noise=generator.uniform(0.5, 2.5),
        seat=seat,
    )


def make_shape(person: np.random.Generator) -> dict[str, float]:
    """Random phenotypes of a body (anny's, 0..1), from schoolchildren to old people."""
    return {
        "gender": float(person.choice([0.0, 1.0]) * 0.9 + 0.05),
        "age": float(person.uniform(0.4, 1.0)),
        "muscle": float(person.uniform(0.25, 0.75)),
        "weight": float(person.uniform(0.2, 0.85)),
        "height": float(person.uniform(0.15, 0.85)),
        "proportions": float(person.uniform(0.2, 0.9)),
    }


def mixed_colour(palette, generator: np.random.Generator) -> np.ndarray:
    """(3,) a random colour between two neighbours of a palette."""
    at = generator.uniform(0, len(palette) - 1)
    return np.array([np.interp(at, range(len(palette)), channel) for channel in np.transpose(palette)])


def dress(body: Body, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Colours (V, 3) of the vertices, and thickness (V,) of the cloth or hair on the skin, metres."""
    anatomy, place = body.anatomy, body.anatomy.template
    names = np.array(anatomy.anny.bone_labels)[anatomy.bone_of_vertex]
    colours = np.broadcast_to(look.skin, (len(names), 3)).copy()
    thickness = np.zeros(len(names))

    def cover(where: np.ndarray, colour: np.ndarray, metres: float) -> None:
        colours[where], thickness[where] = colour, metres * body.scale

    def on(*starts: str) -> np.ndarray:
        return np.logical_or.reduce([np.char.startswith(names, start) for start in starts])

    def along(first: str, last: str) -> np.ndarray:
        """(V,) position of each vertex between two joints of its side of the default figure: 0 at first, 1 at last."""
        heads = {
            side: [anatomy.template_heads[anatomy.bones[f"{bone}.{side}"]] for bone in (first, last)] for side in SIDES
        }
        side = np.where(place[:, :1] > 0, *(np.array(heads[s][0])[None] for s in SIDES))
        end = np.where(place[:, :1] > 0, *(np.array(heads[s][1])[None] for s in SIDES))
        return ((place - side) * (end - side)).sum(axis=1) / ((end - side) ** 2).sum(axis=1)

    leg, arm = along("upperleg01", "foot"), along("upperarm01", "wrist")
    belt = place[:, 2] < 0.13
    cover(on("root", "pelvis", "upperleg", "lowerleg", "spine") & belt & (leg < look.legs), look.trousers, 0.009)
    cover(on("root", "pelvis", "spine", "clavicle", "shoulder") & ~belt, look.shirt, 0.014)
    cover(on("upperarm", "lowerarm") & (arm < look.sleeves), look.shirt, 0.010)
    cover(on("neck") & (place[:, 2] < 0.545), look.shirt, 0.006)
    forward, up = -place[:, 1], place[:, 2]
    head = on("head", "neck")
    if look.hair_length:
        # Hair grows above a line that falls from the forehead to the ears and from there to the nape.
        line = np.interp(forward, (-0.06, 0.0, 0.04, 0.09, 0.14), (0.625, 0.640, 0.705, 0.742, 0.757))
        cover(head & (up > line) & ~_ears(place), look.hair, 0.006 + 0.06 * min(look.hair_length, 0.2))
    brows = np.abs(up - 0.7205 - 0.10 * np.minimum(np.abs(place[:, 0]) - 0.03, 0.0)) < 0.0045
    brows &= head & (forward > 0.10) & (np.abs(place[:, 0]) > 0.012) & (np.abs(place[:, 0]) < 0.052)
    colours[brows] = 0.25 * look.skin + 0.75 * look.hair * 0.7
    lips = (
        head
        & (forward > 0.122)
        & (np.abs(place[:, 0]) < 0.024 - 0.5 * np.abs(up - 0.628))
        & (np.abs(up - 0.628) < 0.012)
    )
    colours[lips] = look.skin * (0.86, 0.60, 0.58)
    for side in SIDES:
        eye = (anatomy.bone_of_weight == anatomy.bones[f"eye.{side}"]) & (anatomy.weights > 0.5)
        eye = eye.any(axis=1)
        middle = place[eye].mean(axis=0)
        colours[eye] = (228, 228, 222)
        iris = eye & (np.hypot(place[:, 0] - middle[0], up - middle[2]) < 0.0068) & (forward > -middle[1])
        colours[iris] = (38, 28, 24)
    return colours, thickness


def _ears(place: np.ndarray) -> np.ndarray:
    return (np.abs(place[:, 0]) > 0.070) & (place[:, 2] > 0.64) & (place[:, 2] < 0.715)


def _ellipsoid(centre: np.ndarray, radii) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=3)
    mesh.apply_scale(np.asarray(radii, dtype=float))
    mesh.apply_translation(centre)
    return mesh


def _box(centre, size) -> trimesh.Trimesh:
    """A box whose faces share no corners, so that they stay flat under smooth normals."""
    mesh = trimesh.creation.box(extents=size)
    mesh.apply_translation(centre)
    return trimesh.Trimesh(
        mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False
    )


def _spot(body: Body, landmark: str, side: str = "L") -> np.ndarray:
    return body.vertices[body.landmark(landmark, side)]


def accessories(body: Body, look: Look) -> list[tuple[trimesh.Trimesh, np.ndarray, str]]:
    """Rigid things that a person wears and holds: solid, colour, and the bone that they follow."""
    parts = [(_shoe(body, side), look.shoes, f"foot.{side}") for side in SIDES]
    if look.hair_length > 0.2:
        parts.append((_long_hair(body, look), look.hair, "head"))
    if look.glasses:
        parts.append((_glasses(body), np.array([25, 25, 28]), "head"))
    parts += [(_held(body, kind, side), look.shoes + 40, f"wrist.{side}") for side, kind in look.held.items()]
    return parts


def _shoe(body: Body, side: str) -> trimesh.Trimesh:
    """A shoe around the foot and its toes, which do not bend."""
    anatomy = body.anatomy
    names = np.array(anatomy.anny.bone_labels)[anatomy.bone_of_vertex]
    foot = np.char.startswith(names, "foot") | np.char.startswith(names, "toe")
    foot &= (anatomy.template[:, 0] > 0) == (side == "L")
    mesh = trimesh.convex.convex_hull(body.vertices[foot] + 0.008 * body.scale * body.normals[foot])
    return mesh.subdivide()


def _long_hair(body: Body, look: Look) -> trimesh.Trimesh:
    """Hair behind the head and neck."""
    crown, wide = body.vertices[:, 2].max(), abs(_spot(body, "ear")[0])
    middle = np.array([0.0, _spot(body, "hindbrain")[1] - 0.02, crown - 0.5 * look.hair_length * body.scale])
    return _ellipsoid(middle, (0.95 * wide, 0.055 * body.scale, 0.55 * look.hair_length * body.scale))


def _glasses(body: Body) -> trimesh.Trimesh:
    parts = []
    bridge = _spot(body, "bridge")
    for side in SIDES:
        eye, ear = _spot(body, "eye", side), _spot(body, "ear", side)
        middle = np.array([1.08 * eye[0], bridge[1] - 0.006, eye[2]])
        ring = trimesh.creation.torus(
            major_radius=0.024 * body.scale, minor_radius=0.0022, major_sections=20, minor_sections=6
        )
        ring.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
        ring.apply_translation(middle)
        hinge = middle + (np.sign(eye[0]) * 0.024 * body.scale, 0, 0)
        parts += [ring, _rod(hinge, ear + (np.sign(eye[0]) * 0.004, 0, 0.012), 0.002)]
    left, right = (np.array([s * 0.012, bridge[1] - 0.008, bridge[2] + 0.004]) for s in (1, -1))
    return trimesh.util.concatenate([*parts, _rod(left, right, 0.0025)])


def _rod(start: np.ndarray, end: np.ndarray, radius: float) -> trimesh.Trimesh:
    return trimesh.creation.cylinder(radius=radius, segment=np.stack([start, end]), sections=8)


def _held(body: Body, kind: str, side: str) -> trimesh.Trimesh:
    """An object in a hand, between palm and fingers. kind: of OBJECTS."""
    hand, s = body.hands[side], body.scale
    fingers, palm, across = hand.rest_frame.T
    middle = hand.tips["palm"][1] + 0.022 * s * palm + 0.03 * s * fingers
    if kind == "ball":
        return _ellipsoid(middle + 0.012 * palm, (0.034 * s,) * 3)
    if kind == "phone":
        mesh = _box((0, 0, 0), (0.15 * s, 0.012 * s, 0.075 * s))
    else:
        radius, length = (0.006, 0.16) if kind == "pen" else (0.036, 0.11)
        mesh = _rod(np.array([-length / 2 * s, 0, 0]), np.array([length / 2 * s, 0, 0]), radius * s)
    placed = np.eye(4)
    placed[:3, :3] = np.stack([across, palm, np.cross(across, palm)], axis=1)
    placed[:3, 3] = middle + (0.02 * palm if kind == "cup" else 0)
    mesh.apply_transform(placed)
    return mesh


def furniture(body: Body, room: Room) -> list[tuple[trimesh.Trimesh, np.ndarray]]:
    """Chair or stool, table, floor, wall and the boxes on it, in the world: solid and colour."""
    parts = _chair(body, room) if room.seat < STANDING else []
    if room.table:
        belly = _spot(body, "belly") + body.seat(room.seat)
        parts.append(
            (
                _box(belly + body.scale * np.array([0, -0.45, -0.01]), (1.3, 0.6 * body.scale, 0.03)),
                0.8 * room.chair + 40,
            )
        )
    parts.append((_box((0, -1.0, -0.05), (14, 5.4, 0.1)), room.floor))
    parts.append((_box((0, 1.65, 2.5), (14, 0.1, 6)), room.wall))
    return parts + [(_box(centre, size), colour) for centre, size, colour in room.boxes]


def _chair(body: Body, room: Room) -> list[tuple[trimesh.Trimesh, np.ndarray]]:
    """A chair; where the person sits higher a stool: narrower, with slanted legs, without a backrest."""
    hips, s, stool = body.seat(room.seat) + body.hips, body.scale, room.seat > 0
    top, wide = hips[2] - 0.085 * s - 0.02, 0.34 if stool else 0.46
    parts = [(_box((0, hips[1] - 0.11 * s, top - 0.025), (wide * s, wide * s, 0.05)), room.chair)]
    for x in (-1, 1):
        for y in (-1, 1):
            corner = np.array([x * (wide / 2 - 0.03) * s, hips[1] + (y * (wide / 2 - 0.03) - 0.11) * s, top])
            foot = corner * (1, 1, 0) + stool * 0.06 * s * np.array([x, y, 0.0])
            parts.append((_rod(foot, corner, 0.02), room.chair * 0.8))
    if room.backrest and not stool:
        parts.append((_box((0, hips[1] + 0.24 * s, top + 0.36 * s), (0.42 * s, 0.03, 0.34 * s)), room.chair))
    return parts
