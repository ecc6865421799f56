"""Video transformers of the package `transformers` (extra `mmad[vit]`): VideoMAE and V-JEPA 2, a row per two frames.

Built from their sizes with random weights, or filled from a local folder with config.json and .safetensors files, as
`huggingface_hub` leaves it; nothing is downloaded here. Sources: Tong et al., NeurIPS 2022; Assran et al., 2025 (arXiv
2506.09985).
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from mmad.config import LARGEST_VIT, BackboneConfig, VitConfig
from mmad.errors import InputError
from mmad.files import read_json
from mmad.models.adapters import Adapter
from mmad.models.clip_backbones import Adapt, ClipNetwork

MISSING = "install it with: pip install 'mmad[vit]'"
VIDEOMAE_16, VJEPA2_64 = {"frames": 16, "patch": 16, "tubelet": 2}, {"frames": 64, "patch": 16, "tubelet": 2}
VITS = {
    "videomae_s": VitConfig(width=384, layers=12, heads=6, mlp=1536, **VIDEOMAE_16),
    "videomae_b": VitConfig(width=768, layers=12, heads=12, mlp=3072, **VIDEOMAE_16),
    "videomae_l": VitConfig(width=1024, layers=24, heads=16, mlp=4096, **VIDEOMAE_16),
    "videomae_h": VitConfig(width=1280, layers=32, heads=16, mlp=5120, **VIDEOMAE_16),
    "vjepa2_l": VitConfig(width=1024, layers=24, heads=16, mlp=4096, **VJEPA2_64),
    "vjepa2_h": VitConfig(width=1280, layers=32, heads=16, mlp=5120, **VJEPA2_64),
    "vjepa2_g": VitConfig(width=1408, layers=40, heads=22, mlp=6144, **VJEPA2_64),
}
# Names of the sizes in config.json, and settings that a folder must have as our networks do.
KEYS = {
    "videomae": {
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "mlp": "intermediate_size",
        "frames": "num_frames",
        "patch": "patch_size",
        "tubelet": "tubelet_size",
        "crop": "image_size",
    },
    "vjepa2": {
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "frames": "frames_per_clip",
        "patch": "patch_size",
        "tubelet": "tubelet_size",
        "crop": "crop_size",
    },
}
FIXED = {"hidden_act": "gelu", "qkv_bias": True, "num_channels": 3, "in_chans": 3}
NORMS = ("fc_norm", "videomae.layernorm", "layernorm")  # of a VideoMAE's last layer, whichever a folder has


def is_vit(config: BackboneConfig) -> bool:
    return config.name in VITS


def sizes_of(config: BackboneConfig) -> VitConfig:
    """The sizes of the network: those that `config.vit` sets, else those of its name."""
    named = VITS[config.name]
    return VitConfig(**{name: getattr(config.vit, name) or getattr(named, name) for name in vars(named)})


class VideoTransformer(ClipNetwork):
    """(N, T, 3, side, side) -> (N, T / tubelet, C): tokens averaged over the picture, after a norm.

    VideoMAE takes clips of exactly as many frames as it was made for, V-JEPA 2 others too.
    """

    def __init__(self, config: BackboneConfig, side: int):
        """side: of the square frames, pixels."""
        super().__init__()
        sizes = sizes_of(config)
        if side % sizes.patch:
            raise InputError(
                "backbone.crop", f"{side} is not a multiple of the patches of {sizes.patch}", "set another"
            )
        self.channels, self.tubelet, self.grid = sizes.width, sizes.tubelet, side // sizes.patch
        self.network, self.frames = build_network(config.name, sizes, side)
        self.norm = nn.LayerNorm(sizes.width)
        self.of_videomae = config.name.startswith("videomae")

    def forward(self, clips: Tensor) -> Tensor:
        return self.rows(clips)

    def each_row(self, clips: Tensor) -> Tensor:
        if self.of_videomae and clips.shape[1] != self.frames:
            problem = f"a VideoMAE of {self.frames} frames was given clips of {clips.shape[1]}"
            raise InputError("frames", problem, "leave it at 0")
        if self.of_videomae:
            x = self.network.encoder(self.network.embeddings(clips, None)).last_hidden_state
        else:
            x = self.network(clips).last_hidden_state
        return self.norm(x).unflatten(1, (-1, self.grid * self.grid)).mean(dim=2)

    def places(self) -> list[tuple[nn.Module, int]]:
        layers = self.network.encoder.layer if self.of_videomae else self.network.layer
        return [(layers, index) for index in range(len(layers))]

    def channels_of(self, block: nn.Module) -> int:
        return self.channels

    def adapt(self) -> Adapt:
        return AdaptTokens(self.grid)


@dataclass(frozen=True)
class AdaptTokens:
    """Takes the tokens (N, T * grid * grid, C) of a layer, alone or the first of a tuple, through an adapter."""

    grid: int

    def __call__(self, adapter: Adapter, output: Tensor | tuple) -> Tensor | tuple:
        if isinstance(output, tuple):
            return self(adapter, output[0]), *output[1:]
        return adapter(output.unflatten(1, (-1, self.grid, self.grid))).flatten(1, 3)


def build_network(name: str, sizes: VitConfig, side: int) -> tuple[nn.Module, int]:
    """The network of `transformers` with random weights, and the frames of its clips."""
    transformers = _package()
    shared = {
        "hidden_size": sizes.width,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "patch_size": sizes.patch,
        "tubelet_size": sizes.tubelet,
    }
    try:
        if name.startswith("videomae"):
            how = transformers.VideoMAEConfig(
                **shared, intermediate_size=sizes.mlp, image_size=side, num_frames=sizes.frames, use_mean_pooling=True
            )
            return transformers.VideoMAEModel(how), sizes.frames
        how = transformers.VJEPA2Config(
            **shared,
            mlp_ratio=sizes.mlp / sizes.width,
            crop_size=side,
            frames_per_clip=sizes.frames,
            pred_num_hidden_layers=1,  # the predictor is not used
        )
        return transformers.VJEPA2Model(how).encoder, sizes.frames
    except ValueError as error:
        raise InputError("backbone.vit", str(error).splitlines()[0], "choose other sizes") from None


# --- local folders ----------------------------------------------------------------------------------------------


def with_sizes_of_folder(config: BackboneConfig) -> BackboneConfig:
    """The configuration with the sizes of the folder that `config.weights` names; unchanged where it names none."""
    folder = Path(config.weights)
    if not is_vit(config) or config.weights in ("pretrained", "random") or folder.is_file():
        return config
    path = folder / "config.json"
    if not path.is_file():
        remedy = "name a folder with config.json and model.safetensors, or a recognizer of ours"
        raise InputError(path, "no such file", remedy)
    content, kind = read_json(path), config.name.split("_")[0]
    if not isinstance(content, dict) or content.get("model_type") != kind:
        found = content.get("model_type") if isinstance(content, dict) else None
        raise InputError(path, f"describes a {found!r}, not a {kind}", "set backbone.name to what it is")
    for key, value in FIXED.items():
        if content.get(key, value) != value:
            raise InputError(path, f"{key} is {content[key]!r}, only {value!r} is supported", "choose another model")
    found = {name: content[key] for name, key in KEYS[kind].items() if key in content}
    if kind == "vjepa2" and "width" in found and isinstance(content.get("mlp_ratio"), int | float):
        found["mlp"] = int(found["width"] * content["mlp_ratio"])
    for name, value in found.items():
        if not (isinstance(value, int) and 0 < value <= LARGEST_VIT.get(name, 4096)):
            raise InputError(path, f"{name} is {value!r}", "is the file damaged?")
    side = found.pop("crop", 0)
    if config.crop and side and config.crop != side:
        raise InputError("backbone.crop", f"{config.crop}, but {path} was made for {side}", "leave it at 0")
    resize = config.resize or (round(side * 292 / 256) if kind == "vjepa2" else side)
    return replace(config, vit=replace(sizes_of(config), **found), crop=side or config.crop, resize=resize)


def fill_from_folder(backbone: VideoTransformer, config: BackboneConfig) -> None:
    """Weights from the .safetensors files of a local folder."""
    transformers, folder = _package(), Path(config.weights)
    if not list(folder.glob("*.safetensors")):
        remedy = "save the model again with save_pretrained(FOLDER, safe_serialization=True): pickles are not read"
        raise InputError(folder, "holds no .safetensors file", remedy)
    kind = transformers.VideoMAEModel if backbone.of_videomae else transformers.VJEPA2Model
    options = {"local_files_only": True, "use_safetensors": True, "output_loading_info": True}
    if backbone.of_videomae:
        options["use_mean_pooling"] = True
    try:
        loaded, found = kind.from_pretrained(str(folder), **options)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise InputError(folder, f"its weights cannot be read ({str(error).splitlines()[0][:200]})") from None
    lacking = sorted(str(name) for name in found["missing_keys"] if "predictor" not in str(name))
    if lacking:
        raise InputError(folder, f"lacks {len(lacking)} tensors ({lacking[0]} ...)", "is it another model's?")
    network = loaded if backbone.of_videomae else loaded.encoder
    backbone.network.load_state_dict(network.float().state_dict())
    if backbone.of_videomae:
        _fill_norm(backbone.norm, folder)


@torch.no_grad()
def _fill_norm(norm: nn.LayerNorm, folder: Path) -> None:
    """The last norm of a VideoMAE, which its network does not have where a classifier's mean comes first."""
    from safetensors import safe_open

    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            names = set(tensors.keys())
            for name in NORMS:
                if {f"{name}.weight", f"{name}.bias"} <= names:
                    norm.weight.copy_(tensors.get_tensor(f"{name}.weight"))
                    norm.bias.copy_(tensors.get_tensor(f"{name}.bias"))
                    return


def _package():
    try:
        import transformers
    except ImportError:
        raise InputError("backbone", "the package transformers is not installed", MISSING) from None
    return transformers
