"""Pictures of a clothed person on a chair in a room, by ray casting on the CPU; no display needed.

NVIDIA's `warp` casts the rays. It compiles the kernels below at their first use and caches them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import trimesh
import warp as wp

from mmad.render.body import FACE, Body, Transforms, unit
from mmad.render.look import Look, Room, accessories, dress, furniture, make_look, make_room, make_shape
from mmad.render.pose import OBJECTS, Pose

BATCH = 32  # frames that are skinned at once


@dataclass
class Scene:
    """A person, their appearance and the room that they are in."""

    body: Body
    look: Look
    room: Room


def render_frames(
    pose: Pose,
    names: set[str],
    person: np.random.Generator,
    generator: np.random.Generator,
    size: tuple[int, int],
    samples: int,
) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 pictures of a person in the given pose, one per frame.

    names: actions in the video (some need glasses). person: generator of the body, its clothes and the room, the same
    for all videos of one person. generator: of what differs between these videos. size: (H, W), pixels. samples:
    samples x samples rays per pixel.
    """
    scene = make_scene(pose, names, person, generator)
    transforms = scene.body.transforms(pose)
    for picture in draw_frames(scene, transforms, face_of(pose), size, samples):
        noise = scene.room.noise * generator.standard_normal(picture.shape, dtype=np.float32)
        yield np.clip(picture + noise, 0, 255).astype(np.uint8)


def make_scene(pose: Pose, names: set[str], person: np.random.Generator, generator: np.random.Generator) -> Scene:
    """A random person and room; arguments as of `render_frames`."""
    body = Body(make_shape(person))
    look, room = make_look(person), make_room(person, body, pose.seat, pose.lift.max())
    room.table = pose.table
    look.glasses |= "pushing glasses" in names
    look.held = pose.held or ({"R": str(generator.choice(OBJECTS))} if generator.random() < 0.1 else {})
    room.camera = room.camera + generator.normal(0, 0.05, 3)
    room.target = room.target + generator.normal(0, 0.015, 3)
    room.exposure *= generator.uniform(0.94, 1.06)
    return Scene(body, look, room)


class Figure:
    """A clothed body and what it wears and holds, as one mesh with skin weights."""

    def __init__(self, body: Body, look: Look):
        anatomy = body.anatomy
        colours, thickness = dress(body, look)
        cloth = body.vertices + thickness[:, None] * body.normals
        parts = [(cloth, anatomy.faces, colours, anatomy.weights, anatomy.bone_of_weight)]
        for mesh, colour, bone in accessories(body, look):  # rigid: each follows one bone
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
        """(T, V, 3) float32 positions of the vertices. face: (T, F) weights of the face shapes FACE, 0..1."""
        from anny.skinning.warp_skinning import linear_blend_skinning  # imported after anatomy() has silenced warp

        rest = self.vertices.repeat(len(face), 1, 1)
        change = torch.einsum("tk,kvi->tvi", torch.from_numpy(face).float(), self.face_shapes)
        rest[:, self.moved_by_face] += change
        transforms = torch.eye(4).repeat(*now.turn.shape[:2], 1, 1)
        transforms[..., :3, :3], transforms[..., :3, 3] = torch.from_numpy(now.turn), torch.from_numpy(now.move)
        with torch.inference_mode():
            return linear_blend_skinning(rest, self.weights[None], self.bones[None], transforms)


def face_of(pose: Pose) -> np.ndarray:
    """(T, F) weights of the face shapes FACE of a pose, 0..1."""
    lids = np.clip(pose.eyelids, 0, 1)
    return np.stack([lids, lids, pose.jaw, pose.smile, pose.smile], axis=1)


def draw_frames(
    scene: Scene, transforms: Transforms, face: np.ndarray, size: tuple[int, int], samples: int = 2
) -> Iterator[np.ndarray]:
    """(H, W, 3) float32 pictures, 0..255, one per frame; each pixel is the mean of samples x samples rays.

    transforms: of the bones in each frame. face: (T, F) as of `face_of`. size: (H, W), pixels.
    """
    figure, solids = Figure(scene.body, scene.look), furniture(scene.body, scene.room)
    camera, colours = _Camera(scene.room, size, samples), figure.colours.numpy()
    empty = np.zeros((*camera.shape, 3), dtype=np.float32), np.full(camera.shape, 50.0, dtype=np.float32)
    background = camera.draw(_Solid(*_merge(solids)), *empty)
    for first in range(0, len(face), BATCH):
        frames, solid = slice(first, first + BATCH), None
        for vertices in figure.skin(Transforms(transforms.turn[frames], transforms.move[frames]), face[frames]).numpy():
            if solid is None:  # made anew per batch: a tree of triangles far from its first pose is slow
                solid = _Solid(vertices, figure.faces, colours)
            else:
                solid.move(vertices)
            picture, _ = camera.draw(solid, *background)
            yield scene.room.exposure * picture.reshape(size[0], samples, size[1], samples, 3).mean(axis=(1, 3))


@wp.struct
class _Surface:
    """Coloured triangles for the kernel: mesh, (3 F,) vertices of the faces, (V,) normals and (V,) colours."""

    mesh: wp.uint64
    faces: wp.array(dtype=wp.int32)
    normals: wp.array(dtype=wp.vec3)
    colours: wp.array(dtype=wp.vec3)


@wp.struct
class _View:
    """Camera and light for the kernel. forward: of the length of the zoom. right, up, light: unit vectors."""

    camera: wp.vec3
    forward: wp.vec3
    right: wp.vec3
    up: wp.vec3
    light: wp.vec3
    ambient: float


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

    def surface(self) -> _Surface:
        surface = _Surface()
        surface.mesh, surface.faces = self.mesh.id, self.faces
        surface.normals, surface.colours = self.normals, self.colours
        return surface


class _Camera:
    """A camera in a room. shape: (rows, columns) of rays."""

    def __init__(self, room: Room, size: tuple[int, int], samples: int):
        self.shape = (size[0] * samples, size[1] * samples)
        forward = unit(room.target - room.camera)
        right = unit(np.cross(forward, (0.0, 0.0, 1.0)))
        up = np.cross(right, forward)
        vectors = (room.camera, forward * room.zoom, right, up, unit(room.light))
        self.view = _View()
        for name, vector in zip(("camera", "forward", "right", "up", "light"), vectors):
            setattr(self.view, name, wp.vec3(*map(float, vector)))
        self.view.ambient = float(room.ambient)

    def draw(self, solid: _Solid, picture: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`solid` in front of what is drawn already: (rows, columns, 3) colours, 0..255, and (rows, columns) depths,
        m."""
        picture = wp.array(picture, dtype=wp.vec3, device="cpu", copy=True)
        depth = wp.array(depth, dtype=wp.float32, device="cpu", copy=True)
        wp.launch(_cast_rays, self.shape, [solid.surface(), self.view, picture, depth], device="cpu")
        return picture.numpy(), depth.numpy()


def _merge(parts: list[tuple[trimesh.Trimesh, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces and colours of several solids as one."""
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
def _cast_rays(surface: _Surface, view: _View, picture: wp.array2d(dtype=wp.vec3), depth: wp.array2d(dtype=wp.float32)):
    """Colour and depth of what each ray hits in front of `depth`: lit directly, if not in the shade, and from above."""
    row, column = wp.tid()
    height, width = picture.shape[0], picture.shape[1]
    x = float(column) + 0.5 - 0.5 * float(width)
    y = float(row) + 0.5 - 0.5 * float(height)
    ray = wp.normalize(view.forward + (view.right * x - view.up * y) / float(height))
    hit = wp.mesh_query_ray(surface.mesh, view.camera, ray, depth[row, column])
    if hit.result:
        first = 3 * hit.face
        i, j, k = surface.faces[first], surface.faces[first + 1], surface.faces[first + 2]
        w = 1.0 - hit.u - hit.v
        normal = wp.normalize(hit.u * surface.normals[i] + hit.v * surface.normals[j] + w * surface.normals[k])
        if wp.dot(normal, ray) > 0.0:
            normal = -normal
        direct = wp.max(wp.dot(normal, view.light), 0.0)
        if wp.mesh_query_ray_anyhit(surface.mesh, view.camera + ray * hit.t + normal * 0.004, view.light, 4.0):
            direct = 0.0  # in the shade
        colour = hit.u * surface.colours[i] + hit.v * surface.colours[j] + w * surface.colours[k]
        picture[row, column] = colour * (view.ambient * (0.75 + 0.25 * normal[2]) + (1.05 - view.ambient) * direct)
        depth[row, column] = hit.t
