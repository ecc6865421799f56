"""What the camera sees: a clothed person on a chair in a room, drawn by ray casting. No display, no GPU needed.

NVIDIA's `warp` casts the rays; it compiles the kernels below the first time and keeps them.
"""

from collections.abc import Iterator

import numpy as np
import torch
import trimesh
import warp as wp

from mmad.render.body import FACE, Body, Transforms, unit
from mmad.render.look import Look, Room, accessories, dress, furniture, make_look, make_room, make_shape
from mmad.render.pose import OBJECTS, Pose

BATCH = 32  # frames that are skinned at once


def shoot(
    pose: Pose,
    names: set[str],
    person: np.random.Generator,
    chance: np.random.Generator,
    size: tuple[int, int],
    samples: int,
) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 pictures of a person who does `names` as posed.

    person: decides on the body, its clothes and the room, as in one long interview; chance: on how this one video
    of it was taken.
    """
    body, look, room = set_stage(pose, names, person, chance)
    now = body.transforms(pose)
    for picture in draw_frames(body, look, room, now, face_of(pose), size, samples):
        grain = chance.standard_normal(picture.shape, dtype=np.float32)
        yield np.clip(picture + room.noise * grain, 0, 255).astype(np.uint8)


def set_stage(
    pose: Pose, names: set[str], person: np.random.Generator, chance: np.random.Generator
) -> tuple[Body, Look, Room]:
    """Who it is, how they look and where they sit; the arguments are those of `shoot`."""
    body = Body(make_shape(person))
    look, room = make_look(person), make_room(person, body, pose.seat, pose.lift.max())
    room.table = pose.table
    look.glasses |= "pushing glasses" in names
    look.held = pose.held or ({"R": str(chance.choice(OBJECTS))} if chance.random() < 0.1 else {})
    room.camera = room.camera + chance.normal(0, 0.05, 3)
    room.target = room.target + chance.normal(0, 0.015, 3)
    room.exposure *= chance.uniform(0.94, 1.06)
    return body, look, room


class Figure:
    """A clothed body and what it wears and holds as one mesh with one skin."""

    def __init__(self, body: Body, look: Look):
        anatomy = body.anatomy
        colours, thickness = dress(body, look)
        cloth = body.vertices + thickness[:, None] * body.normals
        parts = [(cloth, anatomy.faces, colours, anatomy.weights, anatomy.bone_of_weight)]
        for mesh, colour, bone in accessories(body, look):  # rigid: each goes with one bone
            size, width = len(mesh.vertices), anatomy.weights.shape[1]
            weights, bones = np.eye(1, width).repeat(size, axis=0), np.full((size, width), anatomy.bones[bone])
            parts.append((mesh.vertices, mesh.faces, np.tile(colour, (size, 1)), weights, bones))
        first = np.cumsum([0] + [len(part[0]) for part in parts])
        self.faces = np.concatenate([part[1] + start for part, start in zip(parts, first)])
        self.vertices, self.colours, weights, bones = (
            torch.from_numpy(np.concatenate([part[i] for part in parts])) for i in (0, 2, 3, 4)
        )
        self.vertices, self.weights, self.bones = self.vertices.float(), weights.float(), bones
        shapes = body.scale * torch.from_numpy(np.stack([anatomy.face_shapes[name] for name in FACE])).float()
        self.moved_by_face = (shapes.abs().amax(dim=(0, 2)) > 1e-5).nonzero()[:, 0]
        self.face_shapes = shapes[:, self.moved_by_face]

    def skin(self, now: Transforms, face: np.ndarray) -> torch.Tensor:
        """(T, V, 3) float32: where every vertex is. face: (T, F) strengths of the face shapes, in their order."""
        from anny.skinning.warp_skinning import linear_blend_skinning  # not before anatomy() has silenced warp

        rest = self.vertices.repeat(len(face), 1, 1)
        change = torch.einsum("tk,kvi->tvi", torch.from_numpy(face).float(), self.face_shapes)
        rest[:, self.moved_by_face] += change
        transforms = torch.eye(4).repeat(*now.turn.shape[:2], 1, 1)
        transforms[..., :3, :3], transforms[..., :3, 3] = torch.from_numpy(now.turn), torch.from_numpy(now.move)
        with torch.inference_mode():
            return linear_blend_skinning(rest, self.weights[None], self.bones[None], transforms)


def face_of(pose: Pose) -> np.ndarray:
    """(T, F) strengths of the face shapes that a pose asks for."""
    lids = np.clip(pose.eyelids, 0, 1)
    return np.stack([lids, lids, pose.jaw, pose.smile, pose.smile], axis=1)


def draw_frames(
    body: Body, look: Look, room: Room, now: Transforms, face: np.ndarray, size: tuple[int, int], samples: int = 2
) -> Iterator[np.ndarray]:
    """(H, W, 3) float32 pictures, 0..255, one a frame; each pixel is the mean of samples x samples rays."""
    figure, solids = Figure(body, look), furniture(body, room)
    camera, colours = _Camera(room, size, samples), figure.colours.numpy()
    empty = np.zeros((*camera.shape, 3), dtype=np.float32), np.full(camera.shape, 50.0, dtype=np.float32)
    behind = camera.take(_Solid(*_merge(solids)), *empty)
    for first in range(0, len(face), BATCH):
        frames, solid = slice(first, first + BATCH), None
        for vertices in figure.skin(Transforms(now.turn[frames], now.move[frames]), face[frames]).numpy():
            if solid is None:  # a tree of triangles that is moved too far from its first pose is slow
                solid = _Solid(vertices, figure.faces, colours)
            else:
                solid.move(vertices)
            picture, _ = camera.take(solid, *behind)
            yield room.exposure * picture.reshape(size[0], samples, size[1], samples, 3).mean(axis=(1, 3))


class _Solid:
    """Coloured triangles that rays can hit."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray):
        self.faces = wp.array(faces.reshape(-1), dtype=wp.int32, device="cpu")
        self.colours = wp.array(colours, dtype=wp.vec3, device="cpu")
        self.mesh = wp.Mesh(wp.array(vertices, dtype=wp.vec3, device="cpu"), self.faces)
        self._find_normals()

    def move(self, vertices: np.ndarray) -> None:
        wp.copy(self.mesh.points, wp.array(vertices, dtype=wp.vec3, device="cpu"))
        self.mesh.refit()
        self._find_normals()

    def _find_normals(self) -> None:
        self.normals = wp.zeros(len(self.mesh.points), dtype=wp.vec3, device="cpu")
        inputs = [self.mesh.points, self.faces, self.normals]
        wp.launch(_add_normals, len(self.faces) // 3, inputs, device="cpu")


class _Camera:
    """shape: (rows, columns) of rays."""

    def __init__(self, room: Room, size: tuple[int, int], samples: int):
        self.shape = (size[0] * samples, size[1] * samples)
        self.ambient = float(room.ambient)
        forward = unit(room.target - room.camera)
        right = unit(np.cross(forward, (0.0, 0.0, 1.0)))
        up = np.cross(right, forward)
        view = (room.camera, forward * room.zoom, right, up, unit(room.light))
        self.view = [wp.vec3(*map(float, vector)) for vector in view]

    def take(self, solid: _Solid, picture: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows, columns, 3) colours and (rows, columns) metres: `solid` before what has been taken already."""
        picture = wp.array(picture, dtype=wp.vec3, device="cpu", copy=True)
        depth = wp.array(depth, dtype=wp.float32, device="cpu", copy=True)
        inputs = [solid.mesh.id, solid.faces, solid.normals, solid.colours, *self.view, self.ambient, picture, depth]
        wp.launch(_cast_rays, self.shape, inputs, device="cpu")
        return picture.numpy(), depth.numpy()


def _merge(parts: list[tuple[trimesh.Trimesh, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces and colours of several coloured solids."""
    whole = trimesh.util.concatenate([mesh for mesh, _ in parts])
    return whole.vertices, whole.faces, np.concatenate([np.tile(colour, (len(m.vertices), 1)) for m, colour in parts])


@wp.kernel(enable_backward=False)
def _add_normals(points: wp.array(dtype=wp.vec3), faces: wp.array(dtype=wp.int32), normals: wp.array(dtype=wp.vec3)):
    face = wp.tid()
    i, j, k = faces[3 * face], faces[3 * face + 1], faces[3 * face + 2]
    normal = wp.cross(points[j] - points[i], points[k] - points[i])
    wp.atomic_add(normals, i, normal)
    wp.atomic_add(normals, j, normal)
    wp.atomic_add(normals, k, normal)


@wp.kernel(enable_backward=False)
def _cast_rays(
    mesh: wp.uint64,
    faces: wp.array(dtype=wp.int32),
    normals: wp.array(dtype=wp.vec3),
    colours: wp.array(dtype=wp.vec3),
    camera: wp.vec3,
    forward: wp.vec3,
    right: wp.vec3,
    up: wp.vec3,
    light: wp.vec3,
    ambient: float,
    picture: wp.array2d(dtype=wp.vec3),
    depth: wp.array2d(dtype=wp.float32),
):
    """What each ray hits before `depth`: its colour times the light that gets there, and soft light from above."""
    row, column = wp.tid()
    height, width = picture.shape[0], picture.shape[1]
    x = float(column) + 0.5 - 0.5 * float(width)
    y = float(row) + 0.5 - 0.5 * float(height)
    ray = wp.normalize(forward + (right * x - up * y) / float(height))
    hit = wp.mesh_query_ray(mesh, camera, ray, depth[row, column])
    if hit.result:
        i, j, k = faces[3 * hit.face], faces[3 * hit.face + 1], faces[3 * hit.face + 2]
        w = 1.0 - hit.u - hit.v
        normal = wp.normalize(hit.u * normals[i] + hit.v * normals[j] + w * normals[k])
        if wp.dot(normal, ray) > 0.0:
            normal = -normal
        direct = wp.max(wp.dot(normal, light), 0.0)
        if wp.mesh_query_ray_anyhit(mesh, camera + ray * hit.t + normal * 0.004, light, 4.0):
            direct = 0.0  # in the shade
        colour = hit.u * colours[i] + hit.v * colours[j] + w * colours[k]
        picture[row, column] = colour * (ambient * (0.75 + 0.25 * normal[2]) + (1.05 - ambient) * direct)
        depth[row, column] = hit.t
