"""What the 52 rendered actions look like: six moments of each, a new person every time, on one sheet a body part.

python benchmarks/contact_sheet.py OUT [--seed 0] [--actions NAME ...] [--variants 1] [--seconds 1.8]

With --actions only these, each several times: every row is another way of doing it.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from mmad.errors import run_command
from mmad.files import atomic_path
from mmad.labels import MMA52
from mmad.render.body import Transforms
from mmad.render.perform import perform
from mmad.render.scene import draw_frames, face_of, make_scene
from mmad.render.timelines import FPS, Action, Timeline, make_clip

SIZE = (216, 180)  # height, width of a picture
MOMENTS = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8)  # shares of the video; the action lasts from 0.1 to 0.9
BOTH = 0.4  # share of rows in which both hands do what one or both do


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--actions", nargs="+", metavar="NAME", choices=MMA52.actions, default=MMA52.actions)
    parser.add_argument("--variants", type=int, default=1, help="rows per action")
    parser.add_argument("--seconds", type=float, default=1.8, help="that an action lasts")
    args = parser.parse_args()
    jobs = [(MMA52.index[name], variant) for name in args.actions for variant in range(args.variants)]
    strips = {job: strip(*job, args.seed, args.seconds) for job in tqdm(jobs, disable=None)}
    for part, part_name in enumerate(MMA52.parts):
        mine = [job for job in jobs if MMA52.part_of[job[0]] == part]
        if not mine:
            continue
        sheet = Image.fromarray(np.concatenate([strips[job] for job in mine]))
        draw = ImageDraw.Draw(sheet)
        for row, (label, _) in enumerate(mine):
            draw.text((5, row * SIZE[0] + 4), f"{label} {MMA52.actions[label]}", fill="black", stroke_width=2,
                      stroke_fill="white")  # fmt: skip
        with atomic_path(Path(args.out) / f"{part}_{part_name.replace(' ', '_')}.png") as temporary:
            sheet.save(temporary, format="png")
    print(f"sheets in {args.out}")


def strip(label: int, variant: int, seed: int, seconds: float) -> np.ndarray:
    """(H, moments x W, 3) uint8"""
    name, key = MMA52.actions[label], [seed, label, variant]
    generator = np.random.default_rng(key)
    action = Action(
        name, 0.125 * seconds, 1.125 * seconds, str(generator.choice(["L", "R"])), generator.random() < BOTH
    )
    seat = make_clip(generator, "", name).seat
    timeline = Timeline(name, int(1.25 * seconds * FPS), (action,), seat)
    pose = perform(timeline, generator)
    scene = make_scene(pose, {name}, np.random.default_rng([*key, 1]), generator)
    now, frames = scene.body.transforms(pose), [int(moment * timeline.frames) for moment in MOMENTS]
    shown = Transforms(now.turn[frames], now.move[frames])
    pictures = draw_frames(scene, shown, face_of(pose)[frames], SIZE)
    return np.concatenate([np.clip(picture, 0, 255).astype(np.uint8) for picture in pictures], axis=1)


if __name__ == "__main__":
    run_command(main)
