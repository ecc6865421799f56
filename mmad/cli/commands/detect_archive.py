"""Detects in archives of many videos, on all processors and GPUs of a machine or a cluster (Ray).

mmad detect-archive SOURCE... --out FOLDER                            from people's joints, as mmad detect
mmad detect-archive SOURCE... --detector FILE [--recognizer FILE] --out FOLDER

SOURCE: a folder, a video, names with * and ?, or a list of these (.txt), here or in a store: s3://bucket/videos.
FOLDER: here or in a store too. Each video has a folder in it with predictions.json and predictions.csv.

The same command again continues where it stopped and does what is new. What a lost process was at is done again.
RAY_ADDRESS=auto or an address: on that cluster, else on this machine alone.
Needs the extra ray: pip install ".[ray]" in a copy of the repository.
"""

import sys

from mmad.cli.arguments import (
    add_device,
    add_keys,
    add_pipeline,
    command_parser,
    options_as_settings,
    refuse_pose_settings,
    split_settings,
    take_device,
)
from mmad.config import PoseConfig, load_config
from mmad.errors import InputError, complain
from mmad.storage import is_address, shown


def main(argv: list[str] | None = None) -> int:
    parser = command_parser("detect-archive", __doc__)
    description = "folders, videos, names with * and ?, or lists (.txt); or a key=value setting"
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=description)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder or address for the results")
    add_pipeline(parser)
    parser.add_argument("--tracks", action="store_true", help="also write the landmarks or features of each video")
    description = "processes that find joints, or networks (default: as many as suit the processors or GPUs)"
    parser.add_argument("--workers", type=int, default=0, metavar="N", help=description)
    add_device(parser)
    add_keys(parser, PoseConfig)
    args = parser.parse_intermixed_args(argv)
    addresses = [name for name in args.sources if is_address(name)]  # may hold = as well
    files, settings = split_settings([name for name in args.sources if not is_address(name)])
    sources = addresses + files
    if not sources:
        parser.error("name a source")
    device, settings = take_device(args, settings)
    if device not in (None, "auto", "cpu", "cuda"):
        raise InputError("device", f"{device!r}", "choose auto, cpu or cuda; Ray shares out the GPUs")
    if args.workers < 0:
        raise InputError("--workers", f"{args.workers}", "give a number from 1 on, or leave it out")
    pose = load_config(PoseConfig, None, settings + options_as_settings(person=args.person))

    from mmad.engine.ray_archive import archive_job, by_joints, detect_archive
    from mmad.video.archive_sources import find_archive

    job = archive_job(args.detector, args.recognizer, device or "auto", pose, args.out, args.tracks)
    if not by_joints(job):
        refuse_pose_settings(settings)
    videos = find_archive(sources)
    result = detect_archive(job, videos, args.workers)
    print(f"{result.done} of {len(videos)} videos have results in {shown(args.out)}")
    for defect in result.defects:
        print(defect, file=sys.stderr)
    code = complain(result.problems)
    return 1 if result.defects else code
