"""What the 52 rendered actions look like: six moments of each, a new person every time, on one sheet a body part.

python benchmarks/contact_sheet.py OUT [--seed 0]
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from mmad.errors import run_command
from mmad.files import atomic_path
from mmad.labels import MMA52
from mmad.render.performance import perform
from mmad.render.scene import shoot
from mmad.render.timelines import FPS, Action, Timeline

SIZE = (216, 180)  # height, width of a picture
MOMENTS = (0.0, 0.45, 0.7, 0.95, 1.2, 1.45)  # s; the action lasts from 0.2 to 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    strips = [strip(name, args.seed) for name in tqdm(MMA52.actions, disable=None)]
    for part, part_name in enumerate(MMA52.parts):
        mine = [label for label, of in enumerate(MMA52.part_of) if of == part]
        sheet = Image.fromarray(np.concatenate([strips[label] for label in mine]))
        draw = ImageDraw.Draw(sheet)
        for row, label in enumerate(mine):
            draw.text((5, row * SIZE[0] + 4), f"{label} {MMA52.actions[label]}", fill="black", stroke_width=2,
                      stroke_fill="white")  # fmt: skip
        with atomic_path(Path(args.out) / f"{part}_{part_name.replace(' ', '_')}.png") as temporary:
            sheet.save(temporary, format="png")
    print(f"{len(MMA52.parts)} sheets in {args.out}")


def strip(name: str, seed: int) -> np.ndarray:
    """(H, moments x W, 3) uint8"""
    key = [seed, MMA52.index[name]]
    timeline = Timeline(name, int((MOMENTS[-1] + 0.1) * FPS), (Action(name, 0.2, 2.0, "R"),))
    pose = perform(timeline, np.random.default_rng(key))
    frames = list(shoot(pose, {name}, np.random.default_rng([*key, 1]), np.random.default_rng([*key, 2]), SIZE, 2))
    return np.concatenate([frames[int(moment * FPS)] for moment in MOMENTS], axis=1)


if __name__ == "__main__":
    run_command(main)
