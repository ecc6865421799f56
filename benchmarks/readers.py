"""Eight frames of a clip by PyAV and by decord, as training and recognition sample them: time of both, turn by turn.

python benchmarks/readers.py CLIP... [--runs 9]

Both open the file, which was probed before, and give the same frames bit by bit, or that is said. decord runs on one
thread, or on as many as it likes ("decord, threads"). Then the same clips encoded again at 320 x 240, and windows of
2 s inside a made-up video of 90 s, 1280 x 720.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from mmad.errors import run_command
from mmad.video.finding import find_videos
from mmad.video.reader import VideoInfo, probe, read_frames, stream
from mmad.video.sampling import frame_of_each_part

FRAMES = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", metavar="CLIP")
    parser.add_argument("--runs", type=int, default=9)
    args = parser.parse_args()
    infos = [probe(path) for _, path in find_videos(args.videos)]
    with tempfile.TemporaryDirectory() as folder:
        small = [probe(shrunk(info, Path(folder) / f"{i}.mp4")) for i, info in enumerate(infos)]
        long = probe(made_long(Path(folder) / "long.mp4"))
        compare("as they are", [(info, 0, info.num_frames) for info in infos], args.runs)
        compare("small", [(info, 0, info.num_frames) for info in small], args.runs)
        compare("windows", [(long, first, 60) for first in range(300, 2600, 400)], args.runs)


def made_long(path: Path, seconds: int = 90) -> Path:
    """A bright square moves over faint noise; a key frame every 250 frames, as encoders do it by themselves."""
    generator = np.random.default_rng(0)
    noise = [generator.integers(0, 12, (720, 1280, 3), dtype=np.uint8) for _ in range(8)]
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "g": "250"})
        video.width, video.height, video.pix_fmt = 1280, 720, "yuv420p"
        for index in range(30 * seconds):
            picture = noise[index % 8].copy()
            left = index * 7 % 1200
            picture[300:400, left : left + 80] = 200
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def shrunk(info: VideoInfo, path: Path, size: tuple[int, int] = (240, 320)) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=round(info.fps))
        video.height, video.width = size
        video.pix_fmt = "yuv420p"
        for index, frame in stream(info, size=size):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = index
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    return path


def by_decord(info: VideoInfo, indices: np.ndarray, threads: int) -> np.ndarray:
    import decord

    return decord.VideoReader(str(info.path), num_threads=threads).get_batch(indices.tolist()).asnumpy()


def compare(title: str, clips: list[tuple[VideoInfo, int, int]], runs: int) -> None:
    """clips: (video, its first frame that belongs to the clip, how many do)."""
    ways = {
        "PyAV": lambda info, indices: read_frames(info, indices),
        "decord": lambda info, indices: by_decord(info, indices, 1),
        "decord, threads": lambda info, indices: by_decord(info, indices, 0),
    }
    generator = np.random.default_rng(0)
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    different = 0
    for run in range(runs + 1):
        chosen = [first + frame_of_each_part(count, FRAMES, generator.random(FRAMES)) for _, first, count in clips]
        seen = []
        for name, way in ways.items():
            began, computed = time.perf_counter(), time.process_time()
            seen.append([way(info, indices) for (info, *_), indices in zip(clips, chosen)])
            if run:  # the first warms up
                wall[name].append(1e3 * (time.perf_counter() - began) / len(clips))
                cpu[name].append(1e3 * (time.process_time() - computed) / len(clips))
        different += sum(not np.array_equal(a, b) for others in seen[1:] for a, b in zip(seen[0], others))
    size = f"{clips[0][0].width} x {clips[0][0].height}"
    print(f"{title}: {len(clips)} clips, the first {size}, {FRAMES} frames of each, ms a clip, median of {runs}:")
    for name in ways:
        spread = f"({min(wall[name]):.1f} - {max(wall[name]):.1f})"
        print(f"  {name:<16}{statistics.median(wall[name]):>7.1f} {spread:<18}CPU {statistics.median(cpu[name]):.1f}")
    for name in list(ways)[1:]:
        pairs = [other / mine for other, mine in zip(wall[name], wall["PyAV"])]
        used = [other / mine for other, mine in zip(cpu[name], cpu["PyAV"])]
        print(f"  {name} / PyAV: {statistics.median(pairs):.2f}, CPU {statistics.median(used):.2f} (median of pairs)")
    print(f"  readings that differ: {different}")


if __name__ == "__main__":
    run_command(main)
