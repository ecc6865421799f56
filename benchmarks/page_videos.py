"""Videos that browsers do not play, made ready for the page: time, memory, size, and whether a frame has moved.

python benchmarks/page_videos.py VIDEO...
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from mmad.errors import run_command
from mmad.report.playable.media import bring_media
from mmad.video.reader import probe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", metavar="VIDEO")
    args = parser.parse_args()
    for video in map(Path, args.videos):
        measure(video)
    print(f"largest memory of all {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6:.0f} MB")


def measure(video: Path) -> None:
    info = probe(video)
    with tempfile.TemporaryDirectory() as folder:
        began, computed = time.perf_counter(), time.process_time()
        name, _ = bring_media(video, info, Path(folder), "copy")
        seconds, computed = time.perf_counter() - began, time.process_time() - computed
        made = Path(folder) / name
        copy, size = probe(made), made.stat().st_size
    moved = np.abs(copy.times - info.times).max() if copy.num_frames == info.num_frames else np.inf
    print(
        f"{video.name}: {info.duration / 60:.1f} min in {seconds:.1f} s, {computed:.1f} CPU s, "
        f"{info.duration / seconds:.1f} times as fast as it plays, "
        f"{video.stat().st_size / 1e6:.0f} -> {size / 1e6:.0f} MB, frames moved by {1e3 * moved:.1f} ms at most"
    )


if __name__ == "__main__":
    run_command(main)
