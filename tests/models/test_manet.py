import importlib.util
import json
import re

import numpy as np
import pytest
import torch
import torchvision
from made_networks import outspoken
from torch.testing import assert_close

from mmad.engine.checkpoint import load_recognizer
from mmad.errors import InputError
from mmad.models import manet
from mmad.models.manet import (
    BasicBlock,
    Bottleneck,
    ClipHead,
    FrameBackbone,
    FrameStream,
    Recognizer,
    ResNet,
    SqueezeExcite,
    shift_clips,
)

# --- the parts --------------------------------------------------------------------------------------------------


def frames(rows: list[list[float]]) -> torch.Tensor:
    """(T, C) numbers as (T, C, 1, 1) frames."""
    return torch.tensor(rows)[:, :, None, None]


def test_temporal_shift_of_a_clip():
    """Of 8 channels the first looks ahead, the second looks back, six stay."""
    clip = frames([[t * 10.0 + c for c in range(8)] for t in range(1, 4)])
    wanted = frames(
        [
            [20.0, 0.0, 12, 13, 14, 15, 16, 17],
            [30.0, 11.0, 22, 23, 24, 25, 26, 27],
            [0.0, 21.0, 32, 33, 34, 35, 36, 37],
        ]
    )
    assert_close(shift_clips(clip, 3), wanted)


def test_temporal_shift_stays_within_its_clip():
    clips = torch.arange(2.0 * 3 * 16).view(6, 16, 1, 1)
    assert_close(shift_clips(clips, 3), torch.cat([shift_clips(clips[:3], 3), shift_clips(clips[3:], 3)]))
    assert (shift_clips(clips, 1)[:, :4] == 0).all()  # a clip of one frame has no neighbours


def test_squeeze_excite():
    """Frames of means (1, 0, 0, 0) and (2, 0, 0, 0): gate = sigmoid(expand(relu(reduce(mean))))."""
    excite = SqueezeExcite(4)
    torch.nn.init.constant_(excite.reduce.weight, 1.0)
    excite.expand.weight.data = torch.tensor([[0.0], [1.0], [-1.0], [2.0]])
    x = torch.zeros(2, 4, 1, 2)
    x[0, 0], x[1, 0] = torch.tensor([0.0, 2]), torch.tensor([1.0, 3])
    assert_close(excite(x), x * 0.5)  # channel 0 is gated by sigmoid(0), the others are zero
    x[:, 3] = torch.tensor([-1.0, 1])  # mean 0: the gates stay as they are
    gate = torch.sigmoid(torch.tensor([2.0, 4.0]))
    assert_close(excite(x)[:, 3], gate[:, None, None] * x[:, 3])


@pytest.mark.parametrize("block, channels", [(BasicBlock, 8), (Bottleneck, 32)])
def test_the_identity_path_sees_neither_gate_nor_shift(block, channels):
    block = block(channels, 8, stride=1).eval()
    x = torch.rand(2, channels, 4, 4, generator=torch.Generator().manual_seed(0))
    last = block.bn2 if isinstance(block, BasicBlock) else block.bn3
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    assert_close(block(x, torch.full_like(x, 7.0)), x)


# --- the network ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet() -> ResNet:
    torch.manual_seed(0)
    return outspoken(ResNet(18)).eval()


@pytest.mark.parametrize("depth, channels", [(18, 512), (34, 512), (50, 2048)])
@torch.inference_mode()
def test_depths(depth, channels):
    network = ResNet(depth).eval()
    assert network.channels == channels
    assert network(torch.zeros(2, 3, 3, 32, 32)).shape == (2, 3, channels)


@pytest.mark.parametrize("depth", [18, 50])
@torch.inference_mode()
def test_residual_branches_begin_silent(depth):
    """What they see makes no difference yet: the block's output is its identity path."""
    block = ResNet(depth).eval().layer1[1]
    x = torch.rand(2, block.conv1.in_channels, 4, 4)
    assert_close(block(x, torch.randn_like(x)), x)


@pytest.mark.parametrize("num_frames", [1, 2, 8, 11])
@torch.inference_mode()
def test_any_number_of_frames(resnet, num_frames):
    output = Recognizer(resnet, num_classes=52).eval()(torch.zeros(2, num_frames, 3, 32, 32))
    assert output.logits.shape == (2, 52)
    assert output.embedding.shape == (2, 300)
    assert output.features.shape == (2, num_frames, 512)


@torch.inference_mode()
def test_the_head_averages_over_frames_after_its_linears(resnet):
    recognizer = Recognizer(resnet, num_classes=5, embedding=7).eval()
    output = recognizer(torch.rand(1, 3, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    head = recognizer.head
    assert_close(output.logits, torch.stack([head.fc_cls(f) for f in output.features[0]]).mean(0, keepdim=True))
    embedded = [head.fc_emb_t(torch.tanh(head.fc_emb(f))) for f in output.features[0]]
    assert_close(output.embedding, torch.stack(embedded).mean(0, keepdim=True))
    assert Recognizer(resnet, num_classes=5, embedding=0).eval()(torch.zeros(1, 1, 3, 32, 32)).embedding is None


@torch.inference_mode()
def test_clips_of_a_batch_do_not_meet(resnet):
    clips = torch.randn(3, 4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert_close(resnet(clips), torch.cat([resnet(clip[None]) for clip in clips]), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_stream_equals_whole_videos(resnet):
    stream_equals_whole_videos(resnet, size=32)


def stream_equals_whole_videos(network: FrameBackbone, size: int) -> None:
    """Videos of several lengths one after the other, in chunks of several sizes; each stream is finished twice."""
    generator = torch.Generator().manual_seed(0)
    videos = [torch.randn(count, 3, size, size, generator=generator) for count in (1, 5, 1, 1, 12, 2)]
    whole = torch.cat([network(video[None])[0] for video in videos])
    frames = torch.cat(videos)
    starts = torch.cat([torch.arange(len(video)) == 0 for video in videos])
    stream = FrameStream(network)
    for chunk in (1, 3, 8, 64):
        pieces = [stream.push(frames[i : i + chunk], starts[i : i + chunk]) for i in range(0, len(frames), chunk)]
        pieces += [stream.finish(), stream.finish()]
        assert_close(torch.cat([piece for piece in pieces if len(piece)]), whole, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_finishing_an_empty_stream_gives_nothing(resnet):
    assert len(FrameStream(resnet).finish()) == 0


# --- published weights ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [18, 50])
def test_parameters_are_called_as_in_torchvision(depth):
    theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None).state_dict()
    ours = ResNet(depth).state_dict()
    assert {name: value.shape for name, value in ours.items() if ".excite." not in name} == {
        name: value.shape for name, value in theirs.items() if not name.startswith("fc.")
    }


@pytest.mark.parametrize("depth", [18, 50])
@torch.inference_mode()
def test_without_gates_and_shift_it_is_torchvisions_resnet(depth, monkeypatch):
    monkeypatch.setattr(manet, "shift_clips", lambda x, num_frames: x)
    monkeypatch.setattr(SqueezeExcite, "forward", lambda self, x: x)
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None).eval()
    theirs.fc = torch.nn.Identity()
    ours = ResNet(depth).eval()
    ours.load_state_dict(theirs.state_dict(), strict=False)
    x = torch.randn(1, 2, 3, 64, 64)
    assert_close(ours(x)[0], theirs(x[0]), atol=1e-5, rtol=1e-4)


def released_name(name: str) -> str:
    """Our name of a tensor -> the authors'."""
    name = re.sub(r"^head\.", "cls_head.", name)
    name = name.replace(".excite.reduce.", ".conv1.conv.fcce.0.").replace(".excite.expand.", ".conv1.conv.fcce.2.")
    name = name.replace(".downsample.0.", ".downsample.conv.").replace(".downsample.1.", ".downsample.bn.")
    name = re.sub(r"(layer\d\.\d+)\.conv1\.weight", r"\1.conv1.conv.net.weight", name)
    name = re.sub(r"\.conv(\d)\.weight", r".conv\1.conv.weight", name)
    return re.sub(r"\.bn(\d)\.", r".conv\1.bn.", name)


@pytest.fixture(scope="module")
def released() -> dict[str, torch.Tensor]:
    """MANet with random weights in the authors' layout, without the tensors that they never use."""
    torch.manual_seed(0)
    state = Recognizer(ResNet(50), 52).state_dict()
    return {released_name(name): value for name, value in state.items()}


UNUSED = {
    "backbone.layer1.0.conv1.conv.action_p2_squeeze.weight": torch.zeros(16, 64, 1, 1),
    "backbone.layer1.0.conv1.conv.action_p2_conv1.weight": torch.zeros(16, 16, 3),
}


@pytest.mark.parametrize("unused", [{}, UNUSED], ids=["without", "with unused"])
@pytest.mark.parametrize("wrapped", ["mmcv", "bare", "data parallel"])
@torch.inference_mode()
def test_released_layout_loads(released, unused, wrapped, tmp_path):
    state = released | unused
    contents = {
        "mmcv": {"meta": {"epoch": 40}, "state_dict": state},
        "bare": state,
        "data parallel": {"epoch": 40, "model_state_dict": {f"module.{name}": state[name] for name in state}},
    }
    torch.save(contents[wrapped], tmp_path / "released.pth")
    recognizer = load_recognizer(tmp_path / "released.pth")
    assert not recognizer.training
    assert len(recognizer.labels) == 52 and recognizer.backbone_config.name == "manet_r50"
    loaded = recognizer.state_dict()
    assert len(loaded) == len(released)
    for name, value in loaded.items():
        assert torch.equal(value, released[released_name(name)]), name


def test_missing_and_surplus_tensors_are_named(released, tmp_path):
    state = {name: value for name, value in released.items() if name != "cls_head.fc_emb.bias"}
    torch.save(state | {"cls_head.fc_new.bias": torch.zeros(3)}, tmp_path / "released.pth")
    with pytest.raises(
        InputError, match=r"released\.pth.*lacks 1 .*head\.fc_emb\.bias.*unknown 1 .*head\.fc_new\.bias"
    ):
        load_recognizer(tmp_path / "released.pth")


@pytest.mark.shared
def test_released_names_are_the_authors(shared, released):
    rows = json.loads((shared / "golden" / "manet" / "keys.json").read_text())
    theirs = {name: shape for name, shape, _ in rows if "action_p2_" not in name}
    assert {name: list(value.shape) for name, value in released.items()} == theirs


@pytest.mark.shared
@torch.inference_mode()
def test_outputs_are_the_authors(shared, tmp_path):
    folder = shared / "golden" / "manet"
    spec = importlib.util.spec_from_file_location("fill", folder / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    wanted = json.loads((folder / "reference_seed0.json").read_text())
    state = fill.filled_state_dict(folder / "keys.json")
    torch.save({"state_dict": {name: torch.from_numpy(value) for name, value in state.items()}}, tmp_path / "manet.pth")
    output = load_recognizer(tmp_path / "manet.pth")(torch.from_numpy(fill.clip_input()))
    features = output.features[0].numpy()
    found = {
        "logits": output.logits.numpy(),
        "embedding": output.embedding.numpy(),
        "feature_mean_first64": features[:, :64],
        "feature_mean_norm": np.linalg.norm(features, axis=1),
    }
    for name, value in found.items():
        reference = np.array(wanted[name])
        assert value.shape == reference.shape
        assert np.abs(value - reference).max() <= 1e-4 * np.abs(reference).max(), name


def test_cosines_to_the_prototypes_are_not_rounded_by_mixed_precision():
    torch.manual_seed(0)
    head, features = ClipHead(8, 52, prototypes=16).eval(), torch.randn(4, 3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        similarity = head(features).similarity
    assert similarity.dtype == torch.float32
    torch.testing.assert_close(
        similarity, head(features).similarity, rtol=0, atol=0.02
    )  # the layer before it is rounded
    assert similarity.abs().max() <= 1
