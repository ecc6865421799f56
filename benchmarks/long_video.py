"""`tools/detect.py` on videos of 1080p that last long: time, memory, and whether it matters where they are cut.

python benchmarks/long_video.py OUT [--minutes 10 60] [--backbone efficientnet_lite0]

The videos are one made-up minute (H.264 with B frames, camera noise), repeated without encoding it again. The
detector's weights are made up: it finds something everywhere. Needs Linux (/proc), and a few GB in OUT.
"""

import argparse
import sys
from pathlib import Path

import av
import numpy as np
import torch
from measuring import watch_process

from mmad.config import BackboneConfig, DetectionConfig, ExtractConfig, InferConfig, to_dict
from mmad.data.feature_files import load_track
from mmad.engine.checkpoint import load_detector
from mmad.engine.feature_extractor import FeatureExtractor
from mmad.engine.postprocess import detect_track
from mmad.errors import run_command
from mmad.formats import read_predictions
from mmad.labels import MMA52
from mmad.models import build_detector
from mmad.weight_files import save_checkpoint

ROOT = Path(__file__).parents[1]
FPS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--minutes", type=int, nargs="+", default=[10, 60])
    parser.add_argument("--backbone", default="efficientnet_lite0")
    args = parser.parse_args()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    minute = out / "minute.mp4"
    if not minute.exists():
        write_minute(minute)
    detector = out / f"{args.backbone}.pt"
    save_made_up_detector(detector, args.backbone)
    second = write_repeated(out / "second.mp4", minute, 1, frames=FPS)
    _, idle = detect(second, detector, out / "second")
    print(f"{minute.stat().st_size / 1e6:.0f} MB a minute; a video of one second: {idle:.2f} GB, the idle process")
    for minutes in args.minutes:
        video = write_repeated(out / f"{minutes}_minutes.mp4", minute, minutes)
        seconds, peak = detect(video, detector, out / video.stem)
        print(
            f"{minutes} minutes: {seconds / 60:.1f} minutes, {FPS * 60 * minutes / seconds:.0f} frames/s, "
            f"at most {peak:.2f} GB, {peak - idle:.2f} above idle",
            flush=True,
        )
        print(f"    {seams(detector, out / video.stem, video.stem)}", flush=True)


def write_minute(path: Path, width: int = 1920, height: int = 1080) -> None:
    """A camera that moves over a smooth picture, with noise."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(width + 200) / 300, np.arange(height + 200) / 300)
    scene = 128 + 70 * np.stack([np.sin(x), np.sin(y), np.sin(x + y)], axis=2)
    scenes = [(scene + rng.normal(0, 5, (*scene.shape[:2], 1))).astype(np.uint8) for _ in range(5)]
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23", "bf": "3"})
        track.width, track.height, track.pix_fmt = width, height, "yuv420p"
        for index in range(60 * FPS):
            left, top = (round(100 + 99 * np.sin(index / FPS * pace)) for pace in (0.7, 0.4))
            picture = scenes[index % len(scenes)][top : top + height, left : left + width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(track.encode(frame))
        container.mux(track.encode(None))


def write_repeated(path: Path, minute: Path, times: int, frames: int | None = None) -> Path:
    """The minute so many times, or its first frames, copied packet by packet."""
    if path.exists():
        return path
    with av.open(str(minute)) as source:
        track = source.streams.video[0]
        packets = [packet for packet in source.demux(track) if packet.size]
        span = round(60 / track.time_base)
        with av.open(str(path), "w") as target:
            copy = target.add_stream_from_template(track)
            stamps = [(packet.pts, packet.dts) for packet in packets]
            for number in range(times):
                for packet, (pts, dts) in list(zip(packets, stamps))[:frames]:
                    packet.pts, packet.dts, packet.stream = pts + number * span, dts + number * span, copy
                    target.mux(packet)
    return path


def save_made_up_detector(path: Path, backbone: str) -> None:
    weights = "pretrained" if backbone == "efficientnet_lite0" else "random"
    extractor = FeatureExtractor(ExtractConfig(BackboneConfig(backbone, weights), device="cpu"))
    config = DetectionConfig()
    torch.manual_seed(0)
    channels = extractor.network.channels
    detector = build_detector(config.detector, channels, MMA52)
    for weight, _ in map(detector.probe.weight_and_bias, detector.probe.views):
        weight.normal_(std=len(weight) ** -0.5)
    detector.length.uniform_(5, 90)
    detector.count.fill_(10)
    features = {"source": extractor.source, "channels": channels, "settings": extractor.settings, "step": 4 / FPS}
    save_checkpoint(path, "detector", to_dict(config), MMA52, detector, features=features)


def detect(video: Path, detector: Path, out: Path) -> tuple[float, float]:
    """s on the clock, and the largest memory in GB."""
    command = [sys.executable, ROOT / "tools" / "detect.py", video, "--detector", detector, "--out", out]
    seconds, megabytes = watch_process(command)
    return seconds, megabytes / 1000


def seams(detector: Path, out: Path, video_id: str) -> str:
    """What came out against the same features seen in other windows."""
    model, _, config, _ = load_detector(detector)
    track = load_track(out / "features", video_id)
    (found,) = read_predictions(out / "predictions.json").detections
    stretches = -(-len(track.values) // config.infer.window)
    many = {
        "candidates": stretches * config.infer.candidates,
        "max_detections": stretches * config.infer.max_detections,
    }
    other = detect_track(model, track, InferConfig(window=10**9, **many))
    order, other_order = (np.lexsort([*item.segments.round(2).T, item.labels]) for item in (found, other))
    if len(found) != len(other) or (found.labels[order] != other.labels[other_order]).any():
        return f"{len(found)} detections, {len(other)} in one window: other ones"
    moved = np.abs(found.segments[order] - other.segments[other_order]).max()
    return f"{len(found)} detections; in one window the same, boundaries within {1e3 * moved:.2f} ms"


if __name__ == "__main__":
    run_command(main)
