import json

import pytest
import torch
from made_networks import stirred
from torch.testing import assert_close

from mmad.config import BackboneConfig, VitConfig
from mmad.engine.checkpoint import load_backbone
from mmad.errors import InputError
from mmad.models import backbone_named, preprocess_of
from mmad.models.adapters import adapter_parameters
from mmad.models.vit_backbones import with_sizes_of_folder

transformers = pytest.importorskip("transformers", reason="needs the extra mmad[vit]")

TINY = VitConfig(width=24, layers=2, heads=2, mlp=48, frames=4, patch=16, tubelet=2)
NAMES = ("videomae_b", "vjepa2_l")


def config_of(name: str, **options) -> BackboneConfig:
    return BackboneConfig(name, **{"weights": "random", "vit": TINY, "resize": 32, "crop": 32, **options})


def tiny(name: str, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return load_backbone(config_of(name, **options))


def clips(count: int = 2, frames: int = 4) -> torch.Tensor:
    return torch.randn(count, frames, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_a_row_per_tubelet(name):
    backbone = tiny(name)
    rows = backbone(clips())
    assert rows.shape == (2, 2, 24) and backbone.channels == 24
    assert_close(backbone(clips()[1:]), rows[1:], atol=1e-5, rtol=1e-4)  # clips of a batch do not meet


@torch.inference_mode()
def test_videomae_is_theirs():
    backbone = tiny("videomae_b")
    tokens = backbone.network(clips()).last_hidden_state  # (2, 2 * 2 * 2, 24): time first, then the grid
    assert_close(backbone(clips())[:, 1], backbone.norm(tokens[:, 4:]).mean(dim=1))


@torch.inference_mode()
def test_vjepa2_takes_clips_of_other_lengths_and_videomae_says_no():
    assert tiny("vjepa2_l")(clips(frames=8)).shape == (2, 4, 24)
    with pytest.raises(InputError, match="frames: a VideoMAE of 4 frames was given clips of 8; leave it at 0"):
        tiny("videomae_b")(clips(frames=8))


@pytest.mark.parametrize("adapter", ["dual", "temporal", "low_rank"])
@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_at_first_adapters_change_nothing(name, adapter):
    plain, adapted = tiny(name), tiny(name, adapter=adapter)
    assert sum(1 for _ in adapter_parameters(adapted))
    assert torch.equal(plain(clips()), adapted(clips()))
    assert not torch.allclose(plain(clips()), stirred(adapted)(clips()), atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_computing_layers_twice_changes_no_gradient(name):
    backbone, gradients = stirred(tiny(name, adapter="dual")), []
    weights = torch.randn(2, 2, 24, generator=torch.Generator().manual_seed(1))
    for backbone.checkpointing in (False, True):
        backbone.zero_grad()
        (backbone.rows(clips()) * weights).sum().backward()
        gradients.append([value.grad.clone() for value in adapter_parameters(backbone)])
    for one, other in zip(*gradients):
        assert_close(one, other)


def test_sizes_by_name():
    kind = backbone_named(BackboneConfig("vjepa2_g", "random"))
    assert (kind.frames, kind.tubelet, kind.streams) == (64, 2, False)
    assert preprocess_of(BackboneConfig("videomae_l", "random"))["crop"] == 224
    assert backbone_named(config_of("videomae_l")).frames == 4
    with pytest.raises(InputError, match=r"backbone\.crop: 40 is not a multiple of the patches of 16"):
        tiny("videomae_b", resize=40, crop=40)
    with pytest.raises(
        InputError, match=r"backbone\.weights: vjepa2_l has no pretrained ones here; set random, or a f"
    ):
        load_backbone(BackboneConfig("vjepa2_l"))


# --- local folders ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """{name: folder} as `save_pretrained` leaves them: a fine-tuned VideoMAE, and a V-JEPA 2."""
    torch.manual_seed(1)
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 16, "tubelet_size": 2}
    how = transformers.VideoMAEConfig(**sizes, intermediate_size=48, image_size=32, num_frames=4, use_mean_pooling=True)
    videomae = transformers.VideoMAEForVideoClassification(how)
    torch.nn.init.normal_(videomae.fc_norm.weight)
    how = transformers.VJEPA2Config(**sizes, mlp_ratio=2.0, crop_size=32, frames_per_clip=4, pred_num_hidden_layers=1)
    found = {"videomae_b": videomae, "vjepa2_l": transformers.VJEPA2Model(how)}
    folder = tmp_path_factory.mktemp("weights")
    for name, model in found.items():
        model.eval().save_pretrained(folder / name)
    return folder, found


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_weights_from_a_folder(folders, name):
    folder, models = folders
    config = BackboneConfig(name, str(folder / name))
    sized = with_sizes_of_folder(config)
    assert sized.vit == TINY and sized.crop == 32 and sized.resize == (32 if name == "videomae_b" else 36)
    backbone = load_backbone(config)
    if name == "videomae_b":
        tokens = models[name].videomae(clips()).last_hidden_state
        wanted = models[name].fc_norm(tokens)
    else:
        wanted = backbone.norm(models[name](clips(), skip_predictor=True).last_hidden_state)
    assert_close(backbone(clips()), wanted.unflatten(1, (2, 4)).mean(dim=2), atol=1e-4, rtol=1e-3)
    assert torch.equal(
        load_backbone(BackboneConfig(name, str(folder / name), adapter="dual"))(clips()), backbone(clips())
    )


def test_folders_that_do_not_fit(folders, tmp_path):
    folder, _ = folders
    with pytest.raises(InputError, match=r"config\.json: no such file; name a folder with config\.json"):
        load_backbone(BackboneConfig("videomae_b", str(tmp_path)))
    with pytest.raises(InputError, match=r"config\.json: describes a 'vjepa2', not a videomae"):
        load_backbone(BackboneConfig("videomae_b", str(folder / "vjepa2_l")))
    with pytest.raises(InputError, match=r"backbone\.crop: 64, but .*config\.json was made for 32"):
        load_backbone(BackboneConfig("videomae_b", str(folder / "videomae_b"), resize=64, crop=64))
    content = json.loads((folder / "videomae_b" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"holds no \.safetensors file; save the model again .*pickles are not read"):
        load_backbone(BackboneConfig("videomae_b", str(tmp_path)))
    (tmp_path / "config.json").write_text(json.dumps({**content, "num_hidden_layers": 10**9}))
    with pytest.raises(InputError, match=r"config\.json: layers is 1000000000; is the file damaged"):
        load_backbone(BackboneConfig("videomae_b", str(tmp_path)))
    (tmp_path / "config.json").write_text(json.dumps({**content, "hidden_act": "relu"}))
    with pytest.raises(InputError, match=r"hidden_act is 'relu', only 'gelu' is supported"):
        load_backbone(BackboneConfig("videomae_b", str(tmp_path)))


def test_a_folder_that_lacks_tensors(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    folder, _ = folders
    (tmp_path / "config.json").write_text((folder / "videomae_b" / "config.json").read_text())
    tensors = load_file(folder / "videomae_b" / "model.safetensors")
    save_file(
        {name: value for name, value in tensors.items() if "layer.1." not in name}, tmp_path / "model.safetensors"
    )
    with pytest.raises(InputError, match=r"lacks \d+ tensors \(encoder\.layer\.1\."):
        load_backbone(BackboneConfig("videomae_b", str(tmp_path)))
