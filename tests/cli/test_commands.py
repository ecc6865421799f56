"""All commands: their names and help, what they load for it, and how settings, device and output are typed."""

import argparse
import ast
import importlib
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import mmad.config
from mmad.cli import COMMANDS, command_names, load_command, main
from mmad.cli.arguments import (
    add_output,
    command_parser,
    output_and_settings,
    split_config_and_files,
    split_settings,
    take_device,
)
from mmad.cli.keys import as_typed, field_sentences, settings_text
from mmad.cli.training import training_config
from mmad.config import (
    ClipConfig,
    DemoConfig,
    DetectionConfig,
    EndToEndConfig,
    ExtractConfig,
    PoseConfig,
    PoseTrainConfig,
    RecognitionConfig,
    RenderConfig,
    ViewConfig,
    load_config,
)

ROOT = Path(__file__).parents[2]
HEAVY = ["torch", "torchvision", "mediapipe", "cv2", "matplotlib", "av", "scipy", "tensorboard", "anny", "ray"]
WITH_SETTINGS = {
    "detect": PoseConfig,
    "detect-archive": PoseConfig,
    "extract-pose": PoseConfig,
    "extract-features": ExtractConfig,
    "recognize": ViewConfig,
    "train-det": DetectionConfig,
    "train-rec": RecognitionConfig,
    "train-e2e": EndToEndConfig,
    "train-pose": PoseTrainConfig,
    "make-synthetic": RenderConfig,
    "demo": DemoConfig,
}
IN_EVAL = ("agreement", "map", "recognition", "thresholds")


def said(*words: str) -> str:
    """What `mmad` prints of these words in a process of its own, which fails the test if it loads anything heavy."""
    code = (
        f"import sys\nfrom mmad.cli import main\nsys.argv = {['mmad', *words]}\ntry:\n    main()\n"
        f"except SystemExit as left:\n    assert not left.code\n"
        f"sys.exit(', '.join(set({HEAVY}) & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, f"loaded or said: {done.stderr}"
    return done.stdout


def typed(monkeypatch, *words: str) -> int:
    """The exit code of `mmad` with these words, in this process."""
    monkeypatch.setattr(sys, "argv", ["mmad", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code


# --- names and help -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", command_names())
def test_help_loads_nothing_heavy(name):
    first, *_ = load_command(name).__doc__.splitlines()
    help_text = said(name, "--help")
    assert help_text.startswith(f"usage: mmad {name} ") and first in help_text


def test_the_overview_lists_every_command_with_its_sentence():
    lines = said("--help").splitlines()
    for name in command_names():
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert line.endswith(load_command(name).__doc__.splitlines()[0])
    assert max(map(len, lines)) <= 120
    assert [line for line in lines if line.endswith(":")] == [f"{title}:" for title in COMMANDS]


def test_every_file_in_commands_is_a_command_and_none_beside_them_is():
    commands, shared = (
        {path.stem for path in folder.glob("*.py")} for folder in (ROOT / "mmad/cli/commands", ROOT / "mmad/cli")
    )
    assert commands == {name.replace("-", "_") for name in command_names()} | {"__init__"}
    assert shared == {"__init__", "arguments", "detect_videos", "fusing", "keys", "training"}
    assert len(set(command_names())) == len(command_names())


@pytest.mark.parametrize("name", command_names())
def test_tools_and_eval_are_the_same_functions(name):
    script = ROOT / ("eval" if name in IN_EVAL else "tools") / f"{name.replace('-', '_')}.py"
    assert script.read_text(encoding="utf-8").split("\n\n", 1)[1] == (
        f'from mmad.cli import run\n\nif __name__ == "__main__":\n    run("{name}")\n'
    )


def test_no_other_scripts_are_in_tools_and_eval():
    scripts = {path.relative_to(ROOT).as_posix() for folder in ("tools", "eval") for path in (ROOT / folder).iterdir()}
    folder_of = {name: "eval" if name in IN_EVAL else "tools" for name in command_names()}
    assert scripts - {"tools/__pycache__", "eval/__pycache__"} == {
        f"{folder}/{name.replace('-', '_')}.py" for name, folder in folder_of.items()
    }


@pytest.mark.parametrize(
    ("word", "hint"), [("mapp", "did you mean map? mmad --help"), ("xyz", "no such command; mmad --help lists them")]
)
def test_an_unknown_command(monkeypatch, capsys, word, hint):
    assert typed(monkeypatch, word) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: mmad {word}: there is no such command; ") and hint in line


def test_the_version(monkeypatch, capsys):
    assert typed(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"mmad {mmad.__version__}\n"


def test_a_command_may_be_typed_as_its_file_is_called(monkeypatch, capsys):
    assert typed(monkeypatch, "check_data", "missing.csv") == 2
    assert "missing.csv" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "mmad" / "cli").glob("*.py")), ids=lambda path: path.stem)
def test_what_commands_import_on_demand_is_there(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("mmad"):
            module = importlib.import_module(node.module)
            assert [item.name for item in node.names if not hasattr(module, item.name)] == []


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_SETTINGS)
def test_keys_lists_every_setting_and_loads_nothing_heavy(name):
    lines = said(name, "--keys").splitlines()
    listed = {line.split("=")[0].strip() for line in lines if line.startswith("  ") and "=" in line.split(" ")[2]}
    assert listed == set(_keys_of(WITH_SETTINGS[name]()))


def test_only_commands_with_settings_have_keys(capsys):
    for name in set(command_names()) - set(WITH_SETTINGS):
        with pytest.raises(SystemExit):
            load_command(name).main(["--help"])
        assert "--keys" not in capsys.readouterr().out


def _keys_of(config, prefix: str = "") -> list[str]:
    found = []
    for item in fields(config):
        value = getattr(config, item.name)
        inner = _keys_of(value, f"{prefix}{item.name}.") if is_dataclass(value) else [f"{prefix}{item.name}"]
        found += inner
    return found


@pytest.mark.parametrize("kind", dict.fromkeys(WITH_SETTINGS.values()), ids=lambda kind: kind.__name__)
def test_what_keys_prints_can_be_typed(kind):
    words = [line.strip().split("  ")[0] for line in settings_text(kind).splitlines() if line.startswith("  ")]
    settings = [word for word in words if "=" in word.split(" ")[0]]
    assert len(settings) == len(_keys_of(kind()))
    assert load_config(kind, None, settings) == kind()


def test_every_setting_has_a_sentence():
    kinds = [kind for kind in vars(mmad.config).values() if isinstance(kind, type) and is_dataclass(kind)]
    assert len(kinds) > 15
    for kind in kinds:
        sentences = field_sentences(kind)
        default = kind()
        without = [item.name for item in fields(kind) if item.name not in sentences]
        assert all(is_dataclass(getattr(default, name)) for name in without), f"{kind.__name__}: {without}"
        assert kind.__doc__


def test_a_sentence_is_the_comment_beside_the_field_also_of_the_class_above():
    assert field_sentences(PoseConfig)["fps"] == "frames per second that are looked at, chosen by their times"
    assert field_sentences(ClipConfig)["crops"] == field_sentences(ViewConfig)["crops"]
    assert field_sentences(ClipConfig)["frames"] != field_sentences(ViewConfig)["frames"]


def test_values_as_they_are_typed():
    values = (True, 0.003, [1, 2], ["plain", "random"], [], "")
    assert [as_typed(value) for value in values] == ["true", "0.003", "[1,2]", "[plain,random]", "[]", ""]


# --- device, output, configuration ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "output", "device"),
    [
        (["bench"], "runs/detector", "auto"),
        (["bench", "output=a", "device=cpu"], "a", "cpu"),
        (["bench", "--out", "a", "--device", "cpu"], "a", "cpu"),
        (["--out", "b", "bench", "output=a", "--device", "cpu", "device=cuda"], "b", "cpu"),  # an option overrides
        (["--device=cuda:1", "bench"], "runs/detector", "cuda:1"),
    ],
)
def test_output_and_device_of_a_training(words, output, device):
    config = training_config("train-det", "", DetectionConfig, [*words, "seed=3"])
    assert (config.output, config.device, config.seed) == (output, device, 3)


def test_a_training_reads_its_configuration_by_name_or_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    by_name = training_config("train-rec", "", RecognitionConfig, ["manet_ma52"])
    assert by_name == training_config("train-rec", "", RecognitionConfig, [str(ROOT / "configs" / "manet_ma52.yaml")])
    assert by_name != RecognitionConfig()


def test_files_and_settings_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=b.mp4").touch()
    assert split_settings(["v.mp4", "fps=10", "a=b.mp4"]) == (["v.mp4", "a=b.mp4"], ["fps=10"])
    found = split_config_and_files(["clip", "stride=2"], ["v.mp4", "fps=5"])
    assert found == ("clip", ["stride=2", "fps=5"], ["v.mp4"])
    assert split_config_and_files([], ["v.mp4", "fps=5"]) == (None, ["fps=5"], ["v.mp4"])


def test_the_device_of_a_command_whose_configuration_has_none():
    typed, none = argparse.Namespace(device="mps"), argparse.Namespace(device=None)
    assert take_device(none, ["fps=5", "device=cpu", "device=cuda:1"]) == ("cuda:1", ["fps=5"])
    assert take_device(typed, ["device=cpu"]) == ("mps", [])
    assert take_device(none, ["fps=5"]) == (None, ["fps=5"])


@pytest.mark.parametrize("words", [["there", "seed=1"], ["seed=1", "--out", "there"], ["--out", "there", "seed=1"]])
def test_the_output_folder_by_position_or_option(words):
    assert _output(words) == ("there", ["seed=1"])


@pytest.mark.parametrize("words", [[], ["a", "b"], ["a", "--out", "b"], ["seed=1"]])
def test_one_output_folder(words, capsys):
    with pytest.raises(SystemExit) as left:
        _output(words)
    assert left.value.code == 2
    assert "name one folder as DIR or --out DIR" in capsys.readouterr().err


def _output(words: list[str]) -> tuple[str, list[str]]:
    parser = command_parser("demo", "")
    add_output(parser, "settings")
    return output_and_settings(parser, parser.parse_intermixed_args(words))


@pytest.mark.parametrize(
    "words",
    [
        ["detect", "v.mp4", "--out", "out", "device=abacus"],
        ["detect", "v.mp4", "--out", "out", "--device", "abacus"],
        ["recognize", "best.pt", "--list", "l.txt", "--videos", ".", "--out", "o.csv", "device=abacus"],
        ["extract-features", "--videos", "v.mp4", "--out", "out", "backbone.weights=random", "--device", "abacus"],
    ],
)
def test_a_device_that_there_is_not(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    Path("v.mp4").touch()
    assert typed(monkeypatch, *words) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: device: 'abacus' cannot be used")


def test_settings_of_joints_in_detect(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("v.mp4").touch()
    assert typed(monkeypatch, "detect", "v.mp4", "fbs=10", "--out", "out") == 2
    assert capsys.readouterr().err == "error: argument 'fbs=10': unknown key 'fbs'; did you mean fps?\n"
    assert typed(monkeypatch, "detect", "fps=10", "--out", "out") == 2
    assert "name a video" in capsys.readouterr().err
