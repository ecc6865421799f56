"""MMN: hand-checked parts, and the authors' names and numbers where the reference outputs are."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmad.config import BackboneConfig
from mmad.engine.checkpoint import load_backbone, load_recognizer
from mmad.errors import InputError
from mmad.models.manet import Recognizer
from mmad.models.mmn import (
    MMN,
    Block,
    MMNBackbone,
    SpatialModulation,
    differences,
    encode_times,
    load_mmn,
    modulate,
)


def clips(joints: int = 22, count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(count, 2, 64, joints, 1), torch.linspace(-1, 0.98, 64).repeat(count, 1)


# --- the parts --------------------------------------------------------------------------------------------------


def test_differences_repeat_the_last():
    x = torch.tensor([0.0, 1, 4, 9]).view(1, 1, 4, 1)
    assert differences(x).flatten().tolist() == [1, 3, 5, 5]
    assert differences(x[:, :, :1]).flatten().tolist() == [0]


def test_times_are_encoded_as_interleaved_sines_and_cosines():
    """The first pair has the period 2 pi; the slowest of 48 is 10000^(94/96) times slower."""
    code = encode_times(torch.tensor([[0.0, 0.5]]))[0]
    assert code.shape == (2, 96)
    assert_close(code[0], torch.tensor([0.0, 1.0]).repeat(48))
    assert_close(code[1, :2], torch.tensor([np.sin(0.5), np.cos(0.5)], dtype=torch.float32))
    assert code[1, 94] == pytest.approx(0.5 / 10000 ** (94 / 96), rel=1e-4)


def test_modulation_normalises_each_clip_and_channel():
    """1, 2, 3, 4 has mean 2.5 and unbiased variance 5 / 3; scaled by 1 + 1 and shifted by 10."""
    x = torch.tensor([1.0, 2, 3, 4]).view(1, 1, 2, 2)
    out = modulate(x, torch.ones_like(x), torch.full_like(x, 10.0))
    wanted = (x - 2.5) / (5 / 3) ** 0.5 * 2 + 10
    assert_close(out, wanted)
    assert_close(modulate(torch.cat([x, 7 * x]), x[:1] * 0, x[:1] * 0)[1], modulate(x, x * 0, x * 0)[0])


def test_spatial_modulation_weighs_joints():
    """By the sums of adj's columns: 1, 5 and -1."""
    module = SpatialModulation(4, 3).eval()
    module.adj.data = torch.tensor([[1.0, 2, -3], [0, 0, 2], [0, 3, 0]])
    torch.nn.init.eye_(module.fc.weight)
    torch.nn.init.zeros_(module.fc.bias)
    motion = torch.zeros(1, 4, 1, 3)
    motion[0, 0, 0], motion[0, 2, 0] = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.0, 0.5, 0.5])
    scale, shift = module(motion)
    small = 1 / (1 + 1e-5) ** 0.5  # of a batch norm that saw nothing yet
    assert_close(scale[0, 0, 0], torch.tensor([0.1, 1.0, -0.3]).tanh() * small)
    assert_close(shift[0, 0, 0], torch.tensor([0.0, 2.5, -0.5]).tanh() * small)
    assert (scale[0, 1] == 0).all() and (shift[0, 1] == 0).all()


def test_the_unmodulated_streams_pass():
    """With a gate that does not depend on its input, modulation changes nothing."""
    torch.manual_seed(0)
    block = Block(5, 0.0).eval()
    x = torch.randn(1, 96, 8, 5)
    torch.nn.init.zeros_(block.aggregation_gate[3].weight)
    before = block(x)
    torch.nn.init.normal_(block.MSM.fc.weight)
    torch.nn.init.normal_(block.MTM[0].weight)
    assert_close(block(x), before)
    torch.nn.init.normal_(block.aggregation_gate[3].weight)
    assert not torch.allclose(block(x), before)


def test_a_block_can_be_dropped_in_training_only():
    torch.manual_seed(0)
    block, x = Block(5, 0.999999), torch.randn(4, 96, 8, 5)
    assert_close(block.train()(x), x)
    assert not torch.allclose(block.eval()(x), x)


def test_four_scales_run_side_by_side():
    """What the blocks of the coarser scales do does not reach the finest one, and each is weighed at an eighth of T."""
    backbone = MMNBackbone(22).eval()
    x, index_t = clips()
    with torch.inference_mode():
        rows = backbone.over_time(x, index_t)
        assert rows.shape == (2, 8, 96)
        assert_close(backbone(x, index_t), rows.mean(dim=1, keepdim=True))
        assert backbone.over_time(x[:, :, :32], index_t[:, :32]).shape == (2, 4, 96)


def test_a_clip_does_not_depend_on_its_neighbours():
    module = MMN(22, 7).eval()
    x, index_t = clips(count=3)
    with torch.inference_mode():
        assert_close(module(x, index_t)[1:2], module(x[1:2], index_t[1:2]), rtol=1e-4, atol=1e-5)


# --- weights ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_weights_load_with_and_without_module(tmp_path, prefix):
    torch.manual_seed(3)
    module = MMN(44, 52).eval()
    path = tmp_path / "runs-120-21000.pt"
    torch.save({f"{prefix}{name}": value for name, value in module.state_dict().items()}, path)
    x, index_t = clips(44, 1)
    loaded, recognizer = load_mmn(path), load_recognizer(path)
    assert not loaded.training and not recognizer.training
    assert recognizer.backbone_config == BackboneConfig("mmn", skeleton="ma52")
    with torch.inference_mode():
        wanted = module(x, index_t)
        assert_close(loaded(x, index_t), wanted)
        assert_close(recognizer(x, index_t).logits, wanted)
    backbone = load_backbone(BackboneConfig("mmn", weights=str(path)))
    assert_close(backbone.state_dict(), recognizer.backbone.state_dict())


def test_weights_that_are_not_an_mmn_are_refused(tmp_path):
    def saved(name: str, state: dict):
        torch.save(state, tmp_path / name)
        return tmp_path / name

    state = MMN(22, 32).state_dict()
    assert load_mmn(saved("imigue.pt", state))(*clips()).shape == (2, 32)
    with pytest.raises(InputError, match=r"imigue\.pt: is an MMN of 32 classes, whose names are not known"):
        load_recognizer(tmp_path / "imigue.pt")
    with pytest.raises(InputError, match=r"other\.pt: is not an MMN"):
        load_mmn(saved("other.pt", {"weight": torch.zeros(2)}))
    lacking = {name: value for name, value in state.items() if name != "MFM.3.blocks.2.MSM.adj"}
    with pytest.raises(InputError, match=r"lacking\.pt.*lacks 1 tensors \(MFM\.3\.blocks\.2\.MSM\.adj\)"):
        load_mmn(saved("lacking.pt", lacking))
    with pytest.raises(InputError, match=r"huge\.pt: has 22 joints, 9999 classes"):
        load_mmn(saved("huge.pt", {**state, "head.weight": torch.zeros(9999, 1)}))
    with pytest.raises(InputError, match=r"17\.pt: is an MMN of 17 joints; known are 44 \(ma52\), 22 \(imigue\)"):
        load_recognizer(saved("17.pt", MMN(17, 52).state_dict()))


def test_a_recognizer_of_ours_is_an_mmn_too(tmp_path):
    module = Recognizer(MMNBackbone(22), 5, embedding=0, num_parts=2).eval()
    torch.save({"model": module.state_dict()}, tmp_path / "ours.pt")
    loaded = load_mmn(tmp_path / "ours.pt")
    with torch.inference_mode():
        assert_close(loaded(*clips()), module(*clips()).logits)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "joints"), [("ma52", 44), ("imigue", 22)])
@torch.inference_mode()
def test_outputs_are_the_authors(shared, tmp_path, name, joints):
    spec = importlib.util.spec_from_file_location("fill", shared / "golden" / "manet" / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    shapes = json.loads((shared / f"golden/mmn/keys_{name}.json").read_text())
    state = {key: torch.as_tensor(np.asarray(fill.fill(key, tuple(shape), 0))) for key, shape in shapes}
    torch.save(
        {f"module.{key}": value.reshape(shape) for (key, shape), value in zip(shapes, state.values())},
        tmp_path / "w.pt",
    )
    module = load_mmn(tmp_path / "w.pt")
    x = np.random.default_rng([0, 2026]).standard_normal((2, 2, 64, joints, 1)).astype(np.float32)
    index_t = np.stack([np.linspace(-1, 0.98, 64), 2 * np.linspace(0, 49, 64).astype(int) / 50 - 1])
    inputs = torch.from_numpy(x), torch.from_numpy(index_t.astype(np.float32))
    reference = json.loads((shared / "golden/mmn/reference_seed0.json").read_text())[name]
    found = {"logits": module(*inputs), "feature_mean": module.features(*inputs)}
    for key, value in found.items():
        wanted = np.array(reference[key])
        assert value.shape == wanted.shape
        assert np.abs(value.numpy() - wanted).max() <= 1e-4 * np.abs(wanted).max(), key


@pytest.mark.shared
@pytest.mark.parametrize(
    "name, joints, classes, parameters", [("ma52", 44, 52, 1_325_186), ("imigue", 22, 32, 1_234_014)]
)
def test_the_authors_names_and_sizes(shared, name, joints, classes, parameters):
    module = MMN(joints, classes)
    assert sum(value.numel() for value in module.parameters()) == parameters
    keys = json.loads((shared / f"golden/mmn/keys_{name}.json").read_text())
    wanted = {row[0]: tuple(row[1]) for row in keys} if isinstance(keys, list) else keys
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == wanted
