from pathlib import Path

import pytest
import yaml

from mmad.config import (
    BackboneConfig,
    DemoConfig,
    DetectionConfig,
    ExtractConfig,
    PoseTrainConfig,
    RecognitionConfig,
    find_config,
    from_dict,
    load_config,
    named_configs,
    save_config,
    to_dict,
)
from mmad.errors import InputError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_without_file_and_overrides_all_is_default():
    assert load_config(DetectionConfig) == DetectionConfig()


def test_file_changes_defaults_and_overrides_change_the_file(tmp_path):
    path = write(tmp_path / "a.yaml", "seed: 7\ntrain:\n  epochs: 30\n  lr: 1e-4\n")
    config = load_config(DetectionConfig, path, ["train.epochs=5", "infer.nms=hard"])
    assert (config.seed, config.train.epochs, config.train.lr, config.infer.nms) == (7, 5, 1e-4, "hard")
    assert config.train.batch == DetectionConfig().train.batch


def test_loading_does_not_change_the_defaults():
    load_config(DetectionConfig, overrides=["train.step_epochs=[1]", "train.epochs=1"])
    assert load_config(DetectionConfig) == DetectionConfig()


def test_half_a_section_keeps_the_other_half_of_that_kind_of_config():
    """A recogniser's `data` and `backbone` have defaults of their own."""
    config = load_config(RecognitionConfig, overrides=["data.root=somewhere", "backbone.weights=random"])
    assert (config.data.root, config.data.train) == ("somewhere", "train_list_videos.txt")
    assert config.backbone == BackboneConfig(name="manet_r50", weights="random")


@pytest.mark.parametrize(
    ("override", "read", "value"),
    [
        ("train.lr=1e-4", lambda c: c.train.lr, 0.0001),  # a string to PyYAML
        ("train.lr=1", lambda c: c.train.lr, 1.0),
        ("train.batch=1e2", lambda c: c.train.batch, 100),
        ("train.epochs=2.0", lambda c: c.train.epochs, 2),
        ("train.step_epochs=[10, 20]", lambda c: c.train.step_epochs, [10, 20]),
        ("train.step_epochs=10", lambda c: c.train.step_epochs, [10]),
        ("features.channels_first=true", lambda c: c.features.channels_first, True),
        ("features.folder=", lambda c: c.features.folder, ""),
        ("features.folders=[rgb, 1.10, yes]", lambda c: c.features.folders, ["rgb", "1.10", "yes"]),
        ("features.folders=007", lambda c: c.features.folders, ["007"]),
        ("features.folders=", lambda c: c.features.folders, []),
        ("features.bare_offset=0", lambda c: c.features.bare_offset, 0.0),
        ("output=a=b", lambda c: c.output, "a=b"),
    ],
)
def test_the_type_of_the_field_decides_what_a_value_is(override, read, value):
    found = read(load_config(DetectionConfig, overrides=[override]))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("name", ["runs/a b", "1.10", "007", "2024_01", "2024-01-01", "run #3", "yes"])
def test_a_folder_named_on_the_command_line_keeps_its_name(name):
    assert load_config(DetectionConfig, overrides=[f"output={name}"]).output == name


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sed=1", "unknown key 'sed'; did you mean seed?"),
        ("train.epoch=3", "unknown key 'train.epoch'; did you mean train.epochs?"),
        ("train.zzz=3", "unknown key 'train.zzz'; known keys: epochs, batch"),
        ("trian.lr=1", "unknown key 'trian'; did you mean train?"),
        ("train=3", "train is a section"),
        ("seed.deep=1", "seed"),
        ("seed", "is not key=value"),
        ("seed=a: b: c", "cannot be read"),
        ("seed=abc", "seed is 'abc'; expected int"),
        ("seed=1.5", "seed is 1.5; expected int"),
        ("seed=true", "seed is True; expected int"),
        ("train.lr=fast", "train.lr is 'fast'; expected float"),
        ("train.lr=[1]", "train.lr is [1]; expected float"),
        ("train.step_epochs=[10, x]", "train.step_epochs is 'x'; expected int"),
        ("features.channels_first=1", "features.channels_first is 1; expected bool"),
        ("train.lr=0", "train.lr 0.0; must be positive"),
        ("train.lr=.nan", "train.lr nan; must be positive"),
        ("infer.nms=sotf", "infer.nms 'sotf'; choose one of soft, hard, none"),
        ("detector.dilations=[1,0]", "detector.dilations [1, 0]; give one or more"),
    ],
)
def test_bad_override_is_refused_with_the_argument_as_typed(override, said):
    with pytest.raises(InputError) as error:
        load_config(DetectionConfig, overrides=[override])
    assert str(error.value).startswith(f"argument {override!r}")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n- b\n", "not a YAML mapping"),
        ("just words\n", "not a YAML mapping"),
        ("train: [1\n", "not YAML"),
        ("train: 3\n", "train is a section"),
        ("trian:\n  lr: 1\n", "unknown key 'trian'; did you mean train?"),
        ("train:\n  epoch: 3\n", "unknown key 'train.epoch'; did you mean train.epochs?"),
        ("1: 2\n", "unknown key '1'"),
        ("train:\n  epochs: many\n", "train.epochs is 'many'; expected int"),
        ("extract: {}\n", "unknown key 'extract'"),
    ],
)
def test_bad_file_is_refused_by_name(tmp_path, text, said):
    path = write(tmp_path / "a.yaml", text)
    with pytest.raises(InputError) as error:
        load_config(DetectionConfig, path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


def test_empty_file_is_all_defaults(tmp_path):
    assert load_config(ExtractConfig, write(tmp_path / "a.yaml", "# nothing yet\n")) == ExtractConfig()


@pytest.mark.parametrize("kind", [DetectionConfig, RecognitionConfig, ExtractConfig])
def test_saved_config_loads_as_the_same_config(tmp_path, kind):
    overrides = ["train.lr=1e-4", "train.step_epochs=[1, 2]", "output=yes/007"] if kind is not ExtractConfig else []
    config = load_config(kind, overrides=["device=cuda:1", *overrides])
    save_config(config, tmp_path / "config.yaml")
    assert load_config(kind, tmp_path / "config.yaml") == config
    assert from_dict(kind, to_dict(config)) == config


def test_saved_strings_that_look_like_numbers_stay_strings(tmp_path):
    config = DetectionConfig(output="007")
    save_config(config, tmp_path / "config.yaml")
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["output"] == "007"
    assert load_config(DetectionConfig, tmp_path / "config.yaml") == config


def test_dict_of_another_version_is_refused_with_its_source():
    with pytest.raises(InputError, match=r"best\.pt: unknown key 'train\.epochz'; did you mean train\.epochs\?"):
        from_dict(DetectionConfig, {"train": {"epochz": 1}}, "best.pt")


@pytest.mark.parametrize(
    ("kind", "prefix"), [(DetectionConfig, ""), (PoseTrainConfig, "detection."), (DemoConfig, "detection.")]
)
def test_settings_under_the_names_that_they_once_had(tmp_path, kind, prefix):
    """In a file, typed, and in a checkpoint; what is typed under either name counts before the file."""
    old = {"loss": {"pairs": 5, "others": 7, "alpha": 0.5}}
    old = {"detection": old} if prefix else old
    path = write(tmp_path / "a.yaml", yaml.safe_dump(old))

    def losses(config) -> tuple[int, int, float]:
        loss = (config.detection if prefix else config).loss
        return loss.boundary_samples, loss.negative_classes, loss.alpha

    assert losses(load_config(kind, path)) == losses(from_dict(kind, old)) == (5, 7, 0.5)
    assert losses(load_config(kind, path, [f"{prefix}loss.pairs=3"])) == (3, 7, 0.5)
    assert losses(load_config(kind, path, [f"{prefix}loss.boundary_samples=3"])) == (3, 7, 0.5)
    assert losses(load_config(kind, None, [f"{prefix}loss.others=4"])) == (12, 4, 0.25)
    with pytest.raises(InputError, match=r"argument '\S*loss\.pairs=0': \S*loss\.boundary_samples 0; must be positive"):
        load_config(kind, None, [f"{prefix}loss.pairs=0"])


def test_the_authors_recipe():
    """MANet's training as published (arXiv 2403.05234 and the authors' configuration file)."""
    config = load_config(RecognitionConfig, Path(__file__).parents[1] / "configs" / "manet_ma52.yaml")
    train, clips = config.train, config.clips
    assert (config.backbone.name, config.backbone.weights) == ("manet_r50", "pretrained")
    assert (clips.frames, clips.scales, clips.flip) == (8, [1, 0.875, 0.75, 0.66], 0.5)
    assert (train.optimizer, train.momentum, train.weight_decay) == ("sgd", 0.9, 1e-4)
    assert (train.lr, train.batch, train.epochs, train.clip_grad) == (1.25e-3, 10, 80, 20)
    assert (train.schedule, train.step_epochs) == ("step", [30, 60])
    assert (config.embedding_weight, config.dropout, config.precision) == (50, 0.5, "float32")


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "configs").glob("manet_m*.yaml")))
def test_recognizers_configurations_load(path):
    load_config(RecognitionConfig, path)


def test_configurations_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path(__file__).parents[1] / "configs"
    assert named_configs() == {path.stem: path for path in folder.glob("*.yaml")}
    assert load_config(DetectionConfig, "mma52") == load_config(DetectionConfig, folder / "mma52.yaml")
    Path("mma52").mkdir()  # the folder of the data, say
    assert find_config("mma52") == folder / "mma52.yaml"
    write(Path("pose"), "seed: 5\n")  # a file of one's own counts before a name
    assert load_config(DetectionConfig, "pose").seed == 5


@pytest.mark.parametrize(
    ("name", "hint"),
    [("mma53", "did you mean mma52? By name there are bench, "), ("configs/zzz.yaml", "; by name there are bench, ")],
)
def test_neither_a_file_nor_a_name(tmp_path, monkeypatch, name, hint):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such configuration file") as refused:
        load_config(DetectionConfig, name)
    assert str(refused.value).startswith(f"{name}: ") and hint in str(refused.value)
    assert str(refused.value).endswith(", ".join(named_configs()))
