"""Memory of a step of end-to-end training: as `mmad.engine.memory_estimate` has it, and as it is.

python benchmarks/end_to_end_memory.py [--device cpu] [--seconds 15.03] CONFIG[,key=value ...] ...

A step: the features of one batch of videos of this length at 30 frames a second, forward and backward, and AdamW.
Measured on a GPU: the most that was allocated. On a CPU: the largest resident memory less that before the step, to
which weights, gradients and optimizer are added as counted. Each in a process of its own. --device none only estimates.
"""

import argparse
import resource
import subprocess
import sys

import torch

from mmad.config import EndToEndConfig, load_config
from mmad.engine.memory_estimate import GB, clip_shape, estimate_memory
from mmad.errors import run_command
from mmad.models import build_backbone
from mmad.models.adapters import choose_trained

SMALL = ["backbone.name=manet_r18", "backbone.resize=128", "backbone.crop=128", "train.batch=1", "precision=float32"]
TABLE = [
    *(["e2e_manet", *SMALL, f"checkpointing={how}"] for how in ("none", "blocks")),
    ["e2e_manet", *SMALL, "checkpointing=blocks", "backbone.adapter=temporal"],
    ["e2e_manet", *SMALL, "checkpointing=blocks", "backbone.adapter=", "tuned=all"],
    ["e2e_manet", *SMALL, "checkpointing=videos", "train.batch=4"],
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="CONFIG,key=value,...", help="default: small ones, for a CPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=15.03)
    parser.add_argument("--alone", action="store_true", help="one setting, in this process; prints GB")
    args = parser.parse_args()
    if args.alone:
        config, *settings = args.settings[0].split(",")
        print(measured(load_config(EndToEndConfig, config, settings), args.device, args.seconds))
        return
    print("| setting | estimated, GB | measured, GB |\n|---|---|---|")
    for typed in args.settings or [",".join(row) for row in TABLE]:
        config, *settings = typed.split(",")
        estimate = estimate_memory(load_config(EndToEndConfig, config, settings), args.seconds).total / GB
        found = "-"
        if args.device != "none":
            options = ["--device", args.device, "--seconds", str(args.seconds), "--alone"]
            run = [sys.executable, __file__, typed, *options]
            found = f"{float(subprocess.run(run, check=True, capture_output=True, text=True).stdout):.2f}"
        print(f"| {' '.join([config, *settings])} | {estimate:.2f} | {found} |", flush=True)


def measured(config: EndToEndConfig, device: str, seconds: float) -> float:
    """GB of one step."""
    from mmad.engine.devices import in_precision
    from mmad.labels import MMA52
    from mmad.models import build_detector
    from mmad.models.end_to_end import EndToEnd

    where = torch.device(device)
    backbone = build_backbone(config.backbone)
    choose_trained(backbone, config.tuned)
    model = EndToEnd(backbone, build_detector(config.detector, backbone.channels, MMA52), config, 1).to(where)
    trained = [value for value in model.backbone.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    shape = clip_shape(config, seconds, 30.0)
    before = resident()
    for _ in range(2):
        videos = [(torch.randn(shape, device=where), 10**6) for _ in range(config.train.batch)]
        with in_precision(config.precision, where):
            features, _ = model.features(videos)
        features.square().mean().backward()
        if device == "cpu":
            weights = 4 * sum(value.numel() for value in backbone.state_dict().values())
            return resident() - before + (weights + 8 * sum(value.numel() for value in trained)) / GB
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return torch.cuda.max_memory_allocated(where) / GB


def resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GB


if __name__ == "__main__":
    run_command(main)
