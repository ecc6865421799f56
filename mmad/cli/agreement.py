"""How far two codings of the same videos agree: two people, or a person and the detector.

mmad agreement anna/ ben/ [--tiou 0.5] [--step 0.04] [--json agreement.json]
mmad agreement val.csv predictions.json --thresholds thresholds.json

Cohen's kappa, frame by frame; precision, recall and F1 of the second, measured by the first, event by event.
"""

from mmad.cli.arguments import command_parser
from mmad.errors import InputError, warn
from mmad.files import refuse_same_file, write_json
from mmad.formats import read_actions
from mmad.formats.fields import check_fps
from mmad.formats.predictions import choose_labels, origin_of
from mmad.formats.score_thresholds import least_scores
from mmad.metrics.agreement import agree, as_json, as_table


def main(words: list[str] | None = None) -> None:
    parser = command_parser("agreement", __doc__)
    parser.add_argument("first", help="annotations or predictions of any form: a file, or a folder of one a video")
    parser.add_argument("second", help="the same")
    parser.add_argument("--labels", help="mma52 or a label file; default: what the predictions carry, else mma52")
    parser.add_argument("--fps", type=float, help="frames a second of annotations that count frames and do not say")
    parser.add_argument("--tiou", type=float, default=0.5, help="from which on two events match (default: 0.5)")
    parser.add_argument("--step", type=float, default=0.04, help="seconds between the moments of kappa (default: 0.04)")
    parser.add_argument("--min-score", type=float, help="of predictions: leave out what scores less")
    parser.add_argument("--thresholds", metavar="FILE", help="the same a class, from eval/thresholds.py")
    parser.add_argument("--json", metavar="OUT", help="also write the figures as JSON")
    args = parser.parse_args(words)

    if args.json:
        refuse_same_file(args.json, args.first, args.second, args.thresholds)
    paths = (args.first, args.second)
    origins = [origin_of(path) for path in paths]
    labels = choose_labels(args.labels, *origins)
    fps = check_fps(args.fps) or next((origin.fps for origin in origins if origin.fps), None)
    minimum = least_scores(labels, args.min_score, args.thresholds)
    first, second = (read_actions(path, labels, minimum, fps) for path in paths)
    for note in (note for item in (*first, *second) for note in item.notes):
        warn(note)
    shared = {item.video_id for item in first} & {item.video_id for item in second}
    if not shared:
        raise InputError(args.second, f"no video of {args.first} is in it", "do the names of the videos differ?")
    for path, videos in zip(paths, (first, second)):
        if len(videos) > len(shared):
            warn(f"{len(videos) - len(shared)} videos of {path} are not in the other and are left out")
    result = agree(first, second, labels, args.tiou, args.step)
    print(as_table(result))
    if args.json:
        write_json(args.json, as_json(result), indent=1)
