"""The whole job once, small: render people, train a recognizer and a detector, detect in held-out videos, score.

python tools/demo.py DIR [key=value ...]      the same command again goes on where it was
"""

import argparse
import time
from pathlib import Path

from mmad.config import DemoConfig, load_config
from mmad.data.annotations import read_annotations
from mmad.data.videos import find_videos
from mmad.engine.detect import detect_videos
from mmad.engine.detection import train_detector
from mmad.engine.extract import Extractor, extract_folder
from mmad.engine.infer import load_pipeline
from mmad.engine.recognition import train_recognizer
from mmad.errors import run_command
from mmad.render.dataset import write_data_set
from mmad.report.page import write_report

# What is done, and the seconds it took on two cores of a shared server with the settings of configs/demo.yaml.
STEPS = (
    ("rendering {render.videos} videos and {render.clips} clips of people who do {actions} micro-actions", 210),
    ("training a small MANet on the clips; judged on people it does not train on", 300),
    ("extracting the features of the videos", 20),
    ("training the detector on the features; the table is on videos of other people", 60),
    ("detecting in those videos from their pixels, as in videos of your own", 20),
)
NEXT = """
What to type next:
  your own video   .venv/bin/python tools/detect.py VIDEO --detector {out}/detector/best.pt \\
                       --recognizer {out}/recognizer/best.pt --out {out}/mine
                   (this detector knows rendered people only: train it on real ones first)
  more people      .venv/bin/python tools/make_synthetic.py DIR      all 52 actions, in MMA-52's form
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

    def say(number: int) -> None:
        """What comes now, and how long the rest takes, if this machine goes on as it began."""
        elapsed, expected = time.perf_counter() - began, sum(seconds for _, seconds in STEPS[: number - 1])
        rest = sum(seconds for _, seconds in STEPS[number - 1 :]) * (elapsed / expected if number > 1 else 1)
        what = STEPS[number - 1][0].format(render=config.render, actions=len(config.render.classes) or 52)
        print(f"\n[{number}/{len(STEPS)}, about {max(rest / 60, 1):.0f} min to go] {what}", flush=True)

    say(1)
    write_data_set(data, config.render)
    say(2)
    train_recognizer(config.recognition)
    say(3)
    videos = find_videos([str(data / "train"), str(data / "val")])
    extract_folder(Extractor(config.extraction, str(recognizer)), videos, data / "features")
    say(4)
    train_detector(config.detection)
    say(5)
    pipeline = load_pipeline(out / "detector" / "best.pt", recognizer)
    held_out = find_videos([str(data / "val")])
    found, durations, _ = detect_videos(pipeline, held_out, out / "detections")
    truth = {item.video_id: item for item in read_annotations(data / "val.csv")}
    page = write_report(out / "detections", found, durations, pipeline.labels, truth, dict(held_out))
    print(f"\ndone in {(time.perf_counter() - began) / 60:.1f} min: open {page}\n" + NEXT.format(out=out))


if __name__ == "__main__":
    run_command(main)
