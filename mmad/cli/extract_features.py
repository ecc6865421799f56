"""Videos to features, one file a video; the same command again goes on where it was.

mmad extract-features [CONFIG] --videos PATH... --out DIR [--checkpoint FILE] [--shard I/N] [key=value ...]
"""

from mmad.cli.arguments import command_parser
from mmad.config import ExtractConfig, load_config, settings_among
from mmad.engine.extract import Extractor, extract_folder
from mmad.errors import complain
from mmad.video.finding import find_videos, take_shard


def main(words: list[str] | None = None) -> int:
    parser = command_parser("extract-features", __doc__)
    parser.add_argument("settings", nargs="*", metavar="CONFIG or key=value", help="a YAML file, then settings")
    parser.add_argument("--videos", nargs="+", required=True, help="files or folders")
    parser.add_argument("--out", required=True, help="folder for the features")
    parser.add_argument("--checkpoint", help="a recognizer of ours, or the authors' released MANet")
    parser.add_argument("--shard", default="1/1", help="I/N: only every N-th video from the I-th on")
    args = parser.parse_intermixed_args(words)
    path, settings, files = settings_among(args.settings, args.videos)

    config = load_config(ExtractConfig, path, settings)
    videos = take_shard(find_videos(files), args.shard)
    _, problems = extract_folder(Extractor(config, args.checkpoint), videos, args.out)
    return complain(problems)
