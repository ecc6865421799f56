"""The whole job once, small: draw videos, train a recognizer and a detector, detect in held-out videos, score.

python tools/demo.py DIR [key=value ...]      the same command again goes on where it was
"""

import argparse
import time
from pathlib import Path

from mmad.config import DemoConfig, load_config
from mmad.data.annotations import read_annotations
from mmad.engine.detect import detect_videos
from mmad.engine.detection import train_detector
from mmad.engine.extract import Extractor, extract_folder, find_videos
from mmad.engine.infer import load_pipeline
from mmad.engine.recognition import train_recognizer
from mmad.errors import run_command
from mmad.render.sketch import write_data_set
from mmad.report.page import write_report

NEXT = """
What to type next:
  your own video   .venv/bin/python tools/detect.py VIDEO --detector {out}/detector/best.pt \\
                       --recognizer {out}/recognizer/best.pt --out {out}/mine
                   (this detector knows sketched people only: train it on real ones first)
  MMA-52           see "From the MMA-52 archive to a submission" in README.md
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="DIR")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings that differ from configs/demo.yaml")
    args = parser.parse_args()
    out, began = Path(args.out), time.perf_counter()
    config = load_config(DemoConfig, Path(__file__).parents[1] / "configs" / "demo.yaml", args.settings)
    data, recognizer = out / "data", out / "recognizer" / "best.pt"
    config.recognition.data.root, config.recognition.output = str(data), str(recognizer.parent)
    config.detection.data.root, config.detection.output = str(data), str(out / "detector")

    def say(number: int, what: str) -> None:
        print(f"\n[{number}/5, {time.perf_counter() - began:.0f} s] {what}", flush=True)

    say(1, f"drawing {config.videos} videos and {config.clips} clips of sketched people")
    write_data_set(data, config.videos, config.clips, config.seed)
    say(2, "training a small MANet on the clips")
    train_recognizer(config.recognition)
    say(3, "extracting the features of the videos")
    videos = find_videos([str(data / "train"), str(data / "val")])
    extract_folder(Extractor(config.extraction, str(recognizer)), videos, data / "features")
    say(4, "training the detector on the features; the table is on held-out videos of other people")
    train_detector(config.detection)
    say(5, "detecting in the held-out videos, as in videos of your own")
    pipeline = load_pipeline(out / "detector" / "best.pt", recognizer)
    found, durations, _ = detect_videos(pipeline, find_videos([str(data / "val")]), out / "detections")
    truth = {item.video_id: item for item in read_annotations(data / "val.csv")}
    print(f"open {write_report(out / 'detections', found, durations, pipeline.labels, truth)}")
    print(f"\ndone in {time.perf_counter() - began:.0f} s" + NEXT.format(out=out))


if __name__ == "__main__":
    run_command(main)
