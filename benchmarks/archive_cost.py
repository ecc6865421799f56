"""Hours and cost of a large archive, from rates that were measured, and where more machines stop helping.

python benchmarks/archive_cost.py [--hours 10000] [--gpu-rate X] [--decode-rate X] ...

Rates are seconds of video per second: of joints per core, of the network per GPU, of decoding for it per core. Without
--gpu-rate there are no rows of GPUs. Prices are assumptions. Prints tables in Markdown.
"""

import argparse
from dataclasses import dataclass

from mmad.errors import run_command

JOINTS = {  # of a machine with two cores, benchmarks/README.md: "Joints from video"
    "with hands, nothing beside it": 1.49,
    "without hands, nothing beside it": 2.66,
    "without hands, an hour of video, other jobs beside it": 1.51,
}
CORES_THERE = 2
OF_A_LIST = 1000  # objects in each answer of S3
ANSWER = 0.1  # s until such an answer is there: an assumption


@dataclass
class Archive:
    """hours: of video. minutes: of each video. bitrate: Mbit/s of a video."""

    hours: float
    minutes: float
    bitrate: float

    @property
    def videos(self) -> float:
        return self.hours * 60 / self.minutes

    @property
    def terabytes(self) -> float:
        return self.hours * 3600 * self.bitrate / 8e6

    def gigabits(self, rate: float) -> float:
        """Gbit/s from the store at `rate` hours of video per hour."""
        return rate * self.bitrate / 1000


@dataclass
class Machines:
    """What runs together, and how fast: rate hours of video per hour. price: per hour, of all of it."""

    name: str
    rate: float
    price: float
    bound: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=10_000)
    parser.add_argument("--minutes", type=float, default=10, help="length of each video")
    parser.add_argument("--bitrate", type=float, default=5, help="of the videos, Mbit/s")
    parser.add_argument("--cores", type=int, nargs="+", default=[2, 16, 64, 512, 4096])
    parser.add_argument("--core-price", type=float, default=0.04, help="per core and hour")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--gpu-price", type=float, default=3.0, help="per GPU and hour, its cores included")
    parser.add_argument("--gpu-rate", type=float, help="of the network on one GPU, s of video per s")
    parser.add_argument("--cores-per-gpu", type=int, default=16)
    parser.add_argument("--decode-rate", type=float, default=4.9, help="of decoding on one core, s of video per s")
    parser.add_argument("--store", type=float, default=25, help="what the store gives, Gbit/s")
    parser.add_argument("--per-video", type=float, default=0.009, help="CPU s that the head spends on each video")
    args = parser.parse_args()
    archive = Archive(args.hours, args.minutes, args.bitrate)
    about = f"{archive.hours:,.0f} hours, {archive.videos:,.0f} videos of {archive.minutes:g} minutes"
    print(f"{about}, {archive.terabytes:,.1f} TB at {archive.bitrate:g} Mbit/s\n")
    for name, rate in JOINTS.items():
        each = rate / CORES_THERE
        machines = [Machines(f"{n:,} cores", n * each, n * args.core_price) for n in args.cores]
        table(f"By joints, {name}: {each:.2f} x real time per core", archive, machines)
    if args.gpu_rate:
        table(f"By pixels, {args.gpu_rate:g} x real time per GPU", archive, [gpus(n, args) for n in args.gpus])
    limits(archive, args)


def gpus(count: int, args: argparse.Namespace) -> Machines:
    decoded = args.cores_per_gpu * args.decode_rate
    bound = "network" if args.gpu_rate <= decoded else "decoding"
    rate = min(args.gpu_rate, decoded)
    return Machines(f"{count} GPU{'s' * (count > 1)}", count * rate, count * args.gpu_price, bound)


def table(title: str, archive: Archive, rows: list[Machines]) -> None:
    print(f"{title}\n\n| | hours | cost | from the store, Gbit/s | bound by |\n|---|---|---|---|---|")
    for row in rows:
        hours = archive.hours / row.rate
        cells = [row.name, f"{hours:,.1f}", f"{hours * row.price:,.0f}", f"{archive.gigabits(row.rate):.2g}", row.bound]
        print(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    print()


def limits(archive: Archive, args: argparse.Namespace) -> None:
    """From where on more machines do not help."""
    per_core = {name: rate / CORES_THERE for name, rate in JOINTS.items()}
    slowest, fastest = min(per_core.values()), max(per_core.values())
    store, head = args.store * 1000 / archive.bitrate, args.minutes / 60 / args.per_video * 3600
    print("| what | most hours of video per hour | that is so many cores, joints |\n|---|---|---|")
    for name, rate in {
        f"a store that gives {args.store:g} Gbit/s": store,
        f"a machine that hands out videos and spends {1000 * args.per_video:g} ms on each video": head,
    }.items():
        print(f"| {name} | {rate:,.0f} | {rate / fastest:,.0f} to {rate / slowest:,.0f} |")
    listed = archive.videos / OF_A_LIST * ANSWER
    print(f"\nlisting the archive: {archive.videos / OF_A_LIST:,.0f} requests, {listed:,.0f} s")
    print(f"one video by joints on one core: {60 * archive.minutes / fastest:,.0f} to ", end="")
    print(f"{60 * archive.minutes / slowest:,.0f} s; no machine ends before its last video")
    if args.gpu_rate:
        cores = args.gpu_rate / args.decode_rate
        print(f"decoding for one GPU: {cores:.1f} cores; GPUs at a store of {args.store:g} Gbit/s: ", end="")
        print(f"{store / gpus(1, args).rate:,.0f}")


if __name__ == "__main__":
    run_command(main)
