"""What Ray costs: `mmad detect-archive` beside the plain code of `mmad detect`, turn by turn, and whether both agree.

python benchmarks/ray_overhead.py OUT VIDEO... [--copies 50] [--seconds 10] [--runs 2] [--workers N] [key=value ...]

Makes --copies videos of --seconds each, the VIDEOs to and fro in turn, each starting elsewhere. "plain": joints,
detections and their files in one process, without the pages of `mmad detect`. Whole processes, their start included.
With --workers 1 both find joints in one process. Needs Linux (/proc).
"""

import argparse
import json
import shutil
import sys
from fractions import Fraction
from itertools import chain, cycle, islice
from pathlib import Path

import av
from measuring import watch_family

from mmad.cli.arguments import split_settings
from mmad.config import PoseConfig, load_config
from mmad.errors import run_command

MMAD = [sys.executable, "-c", "from mmad.cli import main; main()"]
PLAIN = [sys.executable, str(Path(__file__)), "--plain"]
RATE = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("videos", nargs="*", metavar="VIDEO")
    parser.add_argument("--copies", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_intermixed_args()
    videos, settings = split_settings(args.videos)
    out = Path(args.out)
    if args.plain:
        plain(out, settings)
        return
    make_videos(out / "videos", videos, args)
    ways = {
        "plain": [*PLAIN, out, *settings],
        "Ray": [*MMAD, "detect-archive", out / "videos", "--out", out / "Ray", "--workers", args.workers, *settings],
    }
    for run in range(args.runs):
        used = {}
        for name in list(ways)[:: -1 if run % 2 else 1]:
            shutil.rmtree(out / name, ignore_errors=True)
            used[name] = watch_family(ways[name])
        for what, plain_s, ray_s in zip(("on the clock", "CPU"), used["plain"], used["Ray"]):
            print(f"{what}: plain {plain_s:.1f} s, Ray {ray_s:.1f} s, {100 * (ray_s / plain_s - 1):+.1f} %", flush=True)
    compare(out)


def plain(out: Path, settings: list[str]) -> None:
    from mmad.cli.detect_videos import detect_people
    from mmad.engine.infer import load_pipeline
    from mmad.video.finding import find_videos

    pipeline = load_pipeline(pose=load_config(PoseConfig, None, settings))
    detect_people(pipeline, find_videos([str(out / "videos")]), [], out / "plain")


def make_videos(folder: Path, sources: list[str], args: argparse.Namespace) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(args.copies):
        path = folder / f"video{i:03d}.mp4"
        if not path.exists():
            write_to_and_fro(path, sources[i % len(sources)], 7 * i, round(args.seconds * RATE))


def write_to_and_fro(path: Path, source: str, first: int, frames: int) -> None:
    """A video of a short one, played forwards and backwards from frame `first` on until there are enough frames."""
    with av.open(source) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    shown = islice(cycle(chain(pictures, pictures[-2:0:-1])), first, first + frames)
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        track.height, track.width = pictures[0].shape[0] // 2 * 2, pictures[0].shape[1] // 2 * 2
        for number, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))


def compare(out: Path) -> None:
    """Whether the detections are the same."""
    plain_results = json.loads((out / "plain" / "predictions.json").read_text())["results"]
    files = list((out / "Ray").rglob("predictions.json"))
    ray_results = {name: found for file in files for name, found in json.loads(file.read_text())["results"].items()}
    same = sum(ray_results.get(name) == found for name, found in plain_results.items())
    print(f"the same detections in {same} of {len(plain_results)} videos; {len(files)} folders of results")


if __name__ == "__main__":
    run_command(main)
