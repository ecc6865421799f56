"""Per-class suppression beside the same algorithm compiled from C++, as ActionFormer ships it.

python benchmarks/suppression.py [CANDIDATES.npz] [--runs 5]

CANDIDATES.npz: arrays in_seg_I (M, 2), in_score_I, in_label_I of video I; default: made up, 20 videos of 5,800. The
compiled side needs a C++ compiler; nothing of `mmad` does.
"""

import argparse
import tempfile

import numpy as np
import torch
from measuring import turn_by_turn
from torch.utils.cpp_extension import load_inline

from mmad.config import InferConfig
from mmad.errors import run_command
from mmad.ops.nms import batched_nms

COMPILED = r"""
#include <torch/extension.h>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

// Best first; each pick lowers (soft) or removes (hard) its neighbours, and what falls below min_score is dropped.
static std::vector<std::pair<float, int64_t>> one_class(
    const float* segments, const float* scores, std::vector<int64_t> left, bool soft, float limit, float min_score) {
  std::vector<float> score;
  for (auto i : left) score.push_back(scores[i]);
  std::vector<std::pair<float, int64_t>> kept;
  while (!left.empty()) {
    size_t best = std::max_element(score.begin(), score.end()) - score.begin();
    const int64_t pick = left[best];
    const float start = segments[2 * pick], end = segments[2 * pick + 1];
    kept.emplace_back(score[best], pick);
    size_t count = 0;
    for (size_t i = 0; i < left.size(); i++) {
      if (i == best) continue;
      const float a = segments[2 * left[i]], b = segments[2 * left[i] + 1];
      const float shared = std::max(0.f, std::min(end, b) - std::max(start, a));
      const float iou = shared / std::max(end - start + b - a - shared, 1e-8f);
      const float value = soft ? score[i] * std::exp(-iou * iou / limit) : (iou > limit ? -1.f : score[i]);
      if (value < min_score) continue;
      left[count] = left[i];
      score[count++] = value;
    }
    left.resize(count);
    score.resize(count);
  }
  return kept;
}

int64_t compiled_suppress(torch::Tensor segments, torch::Tensor scores, torch::Tensor labels,
                          bool soft, double limit, double min_score, int64_t most) {
  std::vector<std::vector<int64_t>> of_class(labels.max().item<int64_t>() + 1);
  const int64_t* label = labels.data_ptr<int64_t>();
  const float* score = scores.data_ptr<float>();
  for (int64_t i = 0; i < labels.numel(); i++)
    if (score[i] >= min_score) of_class[label[i]].push_back(i);
  std::vector<std::pair<float, int64_t>> kept;
  for (auto& mine : of_class) {
    auto found = one_class(segments.data_ptr<float>(), score, mine, soft, limit, min_score);
    if ((int64_t)found.size() > most) found.resize(most);
    kept.insert(kept.end(), found.begin(), found.end());
  }
  std::sort(kept.rbegin(), kept.rend());
  return std::min<int64_t>(kept.size(), most);
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", nargs="?", metavar="CANDIDATES.npz")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    videos = read_candidates(args.candidates) if args.candidates else made_up_candidates()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        module = load_inline(
            "suppression", COMPILED, functions=["compiled_suppress"], extra_cflags=["-O3"], build_directory=folder
        )
    print(f"{len(videos)} videos, {np.mean([len(scores) for _, scores, _ in videos]):.0f} candidates each")
    for kind in ("soft", "hard"):
        compare(kind, videos, module, args.runs)


def compare(kind: str, videos: list, module, runs: int) -> None:
    """Both ways keep as many segments, or it is no comparison."""

    def ours() -> list[int]:
        return [len(batched_nms(*video, InferConfig(nms=kind, min_score=0.001))[0]) for video in videos]

    def compiled() -> list[int]:
        return [module.compiled_suppress(*video, kind == "soft", 0.5, 0.001, 200) for video in videos]

    if ours() != compiled():
        raise SystemExit(f"{kind}: the two keep different numbers of segments")
    seconds = turn_by_turn({"mmad": ours, "C++": compiled}, runs)
    each = ", ".join(f"{name} {1e3 * value / len(videos):.2f}" for name, value in seconds.items())
    print(f"{kind}: {each} CPU ms a video, median of {runs}")


def read_candidates(path: str) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    case = np.load(path)
    count = sum(name.startswith("in_seg_") for name in case.files)
    names = ("seg", "score", "label")
    return [tuple(torch.from_numpy(case[f"in_{name}_{i}"]) for name in names) for i in range(count)]


def made_up_candidates(videos: int = 20, count: int = 5800) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """A few hundred true places a video, candidates about them, classes as uneven as MMA-52's."""
    generator = torch.Generator().manual_seed(0)
    frequency = 1 / torch.arange(1, 53, dtype=torch.float32)
    made = []
    for _ in range(videos):
        labels = torch.multinomial(frequency, count, replacement=True, generator=generator)
        middle = 15 * torch.rand(count, generator=generator)
        length = torch.exp(torch.randn(count, generator=generator)) * 2
        segments = torch.stack([middle - length / 2, middle + length / 2], dim=1).clamp(0, 15)
        made.append((segments, torch.rand(count, generator=generator) ** 3, labels))
    return made


if __name__ == "__main__":
    run_command(main)
