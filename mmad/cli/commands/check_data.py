"""Reports what is wrong with a data set, row by row, and its counts, lengths and overlap.

mmad check-data ANNOTATIONS [--videos DIR]      annotations of any form, or an MA-52 list (.txt)
"""

import sys

from mmad.cli.arguments import add_coders, add_fps, coders_of, command_parser
from mmad.formats.fields import check_fps
from mmad.labels import read_label_set
from mmad.report.check import check_data


def main(argv: list[str] | None = None) -> int:
    parser = command_parser("check-data", __doc__)
    parser.add_argument("annotations")
    parser.add_argument("--videos", metavar="DIR", help="also look at the video files")
    parser.add_argument("--labels", default="mma52", help="mma52 (default) or a label file")
    add_fps(parser)
    add_coders(parser)
    args = parser.parse_args(argv)

    fps = check_fps(args.fps)
    problems, report = check_data(args.annotations, read_label_set(args.labels), args.videos, fps, coders_of(args))
    print("\n".join(report))
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    print(f"problems found: {len(problems) or 'none'}")
    return 2 if problems else 0
