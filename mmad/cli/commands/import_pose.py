"""Imports joints that other tools found as landmark tracks, one file per video, for mmad detect.

mmad import-pose PATH... --out DIR [--fps X] [--size WxH] [--videos PATH] [--format NAME] [--person N]

OpenPose (folders of JSON), AlphaPose and COCO results, MMPose, MediaPipe (tables), DeepLabCut, SLEAP, and data sets of
skeletons (.pkl of pyskl, mmaction2, MMN, PCAN) are known by their content. Rate and size are taken from the file, else
from the videos, which may lie beside it, else from --fps and --size.
"""

import re

from mmad.cli.arguments import command_parser
from mmad.errors import InputError, complain
from mmad.files import output_folder
from mmad.pose.pose_formats import FORMATS


def main(argv: list[str] | None = None) -> int:
    parser = command_parser("import-pose", __doc__)
    description = "files of joints, folders of OpenPose's files, or folders of these"
    parser.add_argument("paths", nargs="+", metavar="PATH", help=description)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the tracks")
    parser.add_argument("--fps", type=float, help="frames per second")
    parser.add_argument("--size", metavar="WxH", help="width and height of the picture in pixels, as 1920x1080")
    parser.add_argument("--videos", metavar="PATH", help="folder of the videos, or one: for rate, size and length")
    parser.add_argument("--format", metavar="NAME", help=f"if the content does not show it: {', '.join(FORMATS)}")
    description = "which of several people: 0, the default, is the largest"
    parser.add_argument("--person", default="largest", metavar="N", help=description)
    args = parser.parse_args(argv)

    from mmad.pose.importing import import_tracks
    from mmad.pose.recording import ImportOptions

    size, person = _size(args.size), _person(args.person)
    options = ImportOptions(args.fps, size, args.format, person, videos=args.videos)
    return complain(import_tracks(args.paths, output_folder(args.out), options))


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)[xX](\d+)", text.strip())
    if not found:
        raise InputError("--size", f"{text!r} is not WIDTHxHEIGHT", "e.g. --size 1920x1080")
    return int(found[1]), int(found[2])


def _person(text: str) -> str | int:
    return int(text) if text.isdecimal() else text
