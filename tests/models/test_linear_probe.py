"""The views of the features that the detector's linear probe has."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mmad.config import DetectorConfig
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.models import build_detector
from mmad.models.detector import EDGE_REACH, receptive_radius
from mmad.models.linear_probe import VIEWS, RandomView, motion_energy, score_names, select_score

LABELS = LabelSet("three", ("nod", "tilt", "wave"), ("head", "hand"), (0, 0, 1))
CHANNELS = 5


def view_of(name: str, **settings) -> torch.nn.Module:
    """In doubles, where rounding hides nothing."""
    view = VIEWS[name](CHANNELS, DetectorConfig(**{"random": 24, "centring": 7, **settings})).double()
    if isinstance(view, RandomView):
        view.whiten += 0.3 * torch.randn(view.whiten.shape, generator=torch.Generator().manual_seed(1))
    return view


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def real(batch: int, steps: int) -> Tensor:
    return torch.ones(batch, steps, dtype=torch.bool)


def test_the_default_views_are_all_views():
    assert set(DetectorConfig().views) == set(VIEWS)


@pytest.mark.parametrize("views", [[], ["plain", "plain"], ["plain", "rings"]])
def test_other_views_are_refused(views):
    with pytest.raises(InputError, match=r"^detector\.views: .*; choose some of plain, centred, random, each once"):
        build_detector(DetectorConfig(views=views), CHANNELS, LABELS)


def test_scores_are_selected_by_name():
    names = score_names(["random", "plain"])
    assert names[:4] == ["random actionness", "random startness", "random endness", "plain actionness"]
    scores = torch.arange(2 * 6).view(2, 6)
    for name in ("actionness", "startness", "endness"):
        wanted = [i for i, full in enumerate(names) if full.endswith(name)]
        assert select_score(scores, name).tolist() == scores[:, wanted].tolist()


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("steps", [1, 2, 9, 40])
def test_padding_changes_nothing(name, steps):
    """A video beside a longer one is as it is alone."""
    view, longest = view_of(name), 40
    x = torch.full((2, longest, CHANNELS), 1e3, dtype=torch.double)  # rubbish where nothing is real
    x[0, :steps], x[1] = noise(steps, CHANNELS), noise(longest, CHANNELS, seed=1)
    mask = real(2, longest)
    mask[0, steps:] = False
    together = view(x, mask)
    assert together.shape == (2, longest, view.width)
    assert_close(together[0, :steps], view(x[:1, :steps], mask[:1, :steps])[0], atol=1e-9, rtol=0)
    assert_close(together[1], view(x[1:], mask[1:])[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", VIEWS)
def test_what_is_far_away_changes_nothing(name):
    """Further than EDGE_REACH, or than the centring; else windows of a long video would disagree."""
    view, x = view_of(name), noise(1, 200, CHANNELS)
    changed = x.clone()
    changed[:, 100:] += noise(1, 100, CHANNELS, seed=2)
    before, after = view(x, real(1, 200)), view(changed, real(1, 200))
    reach = EDGE_REACH if name == "random" else 7
    assert_close(before[:, : 100 - reach], after[:, : 100 - reach], atol=1e-9, rtol=0)
    assert (before[:, 99] != after[:, 99]).any() == (name != "plain")  # just before, it does
    window = view(x[:, 40:160], real(1, 120))
    assert_close(window[:, reach:-reach], before[:, 40 + reach : 160 - reach], atol=1e-9, rtol=0)


@pytest.mark.parametrize("views, centring", [(["random"], 1), (["plain", "random"], 40), (["centred"], 40)])
@torch.inference_mode()
def test_a_step_depends_on_no_more_than_the_receptive_field(views, centring):
    """`infer.window` is checked against it."""
    config = DetectorConfig(views=views, centring=centring, width=8, dilations=[1, 2], random=16)
    detector = build_detector(config, CHANNELS, LABELS).double().eval()
    for weight, _ in map(detector.probe.weight_and_bias, views):
        weight.normal_(generator=torch.Generator().manual_seed(0))
    detector.count.fill_(1)
    radius = receptive_radius(config)
    steps = 6 * radius
    x = noise(1, steps, CHANNELS)
    whole = detector(x, real(1, steps)).logits
    first, last = 2 * radius, 4 * radius + 1
    window = detector(x[:, first:last], real(1, last - first)).logits
    middle = slice(radius, last - first - radius)
    assert_close(window[:, middle], whole[:, first:last][:, middle], atol=1e-9, rtol=0)
    if views == ["centred"]:  # where the sum is all of it
        assert (window[:, middle.start - 3] != whole[:, first + middle.start - 3]).any()


def test_the_random_view_sees_how_much_something_moves_and_not_where_it_is():
    """Its half of motion: a constant is all the same, whatever it is; shaking is more than a slow turn."""
    view, steps = view_of("random"), 60
    half = view.width // 2
    at = torch.arange(steps, dtype=torch.double)
    one, other, slow, shaking = torch.zeros(4, 1, steps, CHANNELS, dtype=torch.double)
    other += 3
    slow[..., 0], shaking[..., 0] = torch.sin(at / 20), torch.sin(at * 2)
    still, elsewhere, turned, shaken = (view(x, real(1, steps))[0, :, half:] for x in (one, other, slow, shaking))
    assert_close(still, elsewhere, atol=1e-4, rtol=0)
    assert (turned >= still - 1e-4).all() and (shaken[20:40] > turned[20:40]).all()
    shifted = view(shaking.roll(1, dims=1), real(1, steps))[0, 20:40, half:]  # the phase hardly matters
    assert (shifted - shaken[20:40]).abs().mean() < 0.2 * (shaken[20:40] - still[20:40]).mean()


def test_motion_energy_by_hand():
    """Differences of neighbours: -1 before, +1 after the middle; over all steps within 1; the ends are repeated."""
    x = torch.tensor([[[0.0], [0], [4], [4], [0]]])
    kernels = torch.tensor([[0.0], [-1.0], [0.0], [1.0], [0.0]])
    energy = motion_energy(x, real(1, 5), kernels, dilation=1, radius=1)[0, :, 0]
    # |difference| of the steps on either side: 0, 4, 4, 4, 4; means of three neighbours, at the ends of two
    assert energy.tolist() == pytest.approx(torch.log(torch.tensor([2.1, 2.7667, 4.1, 4.1, 4.1])).tolist(), abs=1e-4)
    wider = motion_energy(x, real(1, 5), kernels, dilation=2, radius=0)[0, :, 0]
    assert wider.tolist() == pytest.approx(torch.log(torch.tensor([4.1, 4.1, 0.1, 0.1, 4.1])).tolist(), abs=1e-4)


def test_the_random_view_is_the_same_for_every_seed_of_training():
    def drawn(seed: int) -> tuple[dict[str, Tensor], Tensor]:
        torch.manual_seed(seed)
        detector = build_detector(DetectorConfig(random=8), CHANNELS, LABELS)
        return dict(detector.probe.views["random"].named_buffers()), detector.predict.weight

    (one, weights), (other, other_weights) = drawn(0), drawn(1)
    assert one.keys() == other.keys() and len(one) == 4
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(weights, other_weights)  # the decoder is another


def test_two_channels_together_are_seen_by_the_random_view_alone():
    """Where one channel or the other is high but not both: no linear map of the channels finds that, one of random
    features does."""
    held = noise(1500, CHANNELS)  # each for nine steps
    goal = ((held[:, 0] > 0) != (held[:, 1] > 0)).double() - 0.5
    x = held.repeat_interleave(9, dim=0)[None]
    found = {}
    for name in ("plain", "random"):
        seen = view_of(name, random=400)(x, real(1, x.shape[1]))[0, 4::9]
        seen = seen - seen.mean(dim=0)
        fitted, held_out = seen[:1200], seen[1200:]
        penalty = 10 * torch.eye(seen.shape[1], dtype=torch.double)
        weight = torch.linalg.solve(fitted.T @ fitted + penalty, fitted.T @ goal[:1200])
        found[name] = torch.corrcoef(torch.stack([held_out @ weight, goal[1200:]]))[0, 1].item()
    assert found["random"] > 0.4 and abs(found["plain"]) < 0.15, found
