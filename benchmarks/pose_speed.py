"""Joints from a video of 1080p: share of real time and largest memory, with hands and without.

python benchmarks/pose_speed.py OUT CLIP... [--minutes 1 5 60] [--people 1]

The videos are made from clips of people, played to and fro beside each other in a picture of 1920 x 1080 at 30 frames a
second (H.264 with B frames), for a minute, which is repeated without encoding it again. Needs Linux (/proc).
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from long_video import FPS, ROOT, write_repeated
from measuring import watch_process
from PIL import Image

from mmad.errors import run_command
from mmad.pose.landmark_files import load_landmarks
from mmad.video.reader import probe, read_frames

WIDTH, HEIGHT = 1920, 1080


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("clips", metavar="CLIP", nargs="+")
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--people", type=int, default=1, help="beside each other in the picture")
    parser.add_argument("--runs", type=int, default=3, help="of the shortest video; the median counts")
    args = parser.parse_args()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    minute = out / f"minute_{args.people}.mp4"
    if not minute.exists():
        write_minute(minute, [Path(clip) for clip in args.clips], args.people)
    ways = {"with hands": [], "without hands": ["hands=false"]}
    if args.people > 1:
        ways = {"the largest": [], "all": ["person=all"]}
    for minutes in sorted(args.minutes):
        video = write_repeated(out / f"{minutes}_minutes_{args.people}.mp4", minute, minutes)
        times = args.runs if minutes == min(args.minutes) else 1
        for name, settings in ways.items():
            runs = [extract(video, out / name.replace(" ", "_"), settings) for _ in range(times)]
            seconds, peak = np.median([seconds for seconds, _ in runs]), max(peak for _, peak in runs)
            print(
                f"{minutes} minutes, {name}: {60 * minutes / seconds:.2f} x real time, at most {peak:.0f} MB, "
                f"{found(out / name.replace(' ', '_'), video.stem)}",
                flush=True,
            )


def write_minute(path: Path, clips: list[Path], people: int) -> None:
    """So many people beside each other, each in the clip of his number."""
    shown = [itertools.islice(to_and_fro(clips[number % len(clips)]), 60 * FPS) for number in range(people)]
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23", "bf": "3"})
        track.width, track.height, track.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frames in zip(*shown):
            canvas = Image.new("RGB", (WIDTH, HEIGHT), (170, 175, 170))
            for number, frame in enumerate(frames):
                scale = min(HEIGHT / frame.height, WIDTH / people / frame.width)
                resized = frame.resize((round(scale * frame.width), round(scale * frame.height)))
                middle = round(WIDTH * (number + 0.5) / people)
                canvas.paste(resized, (middle - resized.width // 2, HEIGHT - resized.height))
            container.mux(track.encode(av.VideoFrame.from_image(canvas)))
        container.mux(track.encode(None))


def to_and_fro(clip: Path) -> Iterator[Image.Image]:
    """Its frames, forwards and backwards without an end."""
    info = probe(clip)
    frames = [Image.fromarray(frame) for frame in read_frames(info, np.arange(info.num_frames))]
    return itertools.cycle([*frames, *frames[::-1]])


def extract(video: Path, out: Path, settings: list[str]) -> tuple[float, float]:
    """s on the clock and largest memory in MB of tools/extract_pose.py on a video that was not done yet."""
    for old in out.glob("*"):
        old.unlink()
    command = [sys.executable, ROOT / "tools" / "extract_pose.py", "--videos", video, "--out", out, *settings]
    return watch_process(command, quiet=True)


def found(out: Path, name: str) -> str:
    """In what share of the frames each person and his hands were found."""
    parts = []
    for track in json.loads((out / f"{name}.json").read_text())["tracks"]:
        seen = load_landmarks(out / f"{track}.npz").seen
        body, *hands = (
            100 * seen[:, joints].any(axis=1).mean() for joints in (slice(33), slice(33, 54), slice(54, 75))
        )
        parts.append(f"body {body:.0f} %, left hand {hands[0]:.0f} %, right hand {hands[1]:.0f} %")
    return "; ".join(parts)


if __name__ == "__main__":
    run_command(main)
