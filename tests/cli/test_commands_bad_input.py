"""Every command, handed what is wrong: one line that says so, exit code 2, no traceback, and nothing destroyed."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from made_videos import cut_off, write_audio, write_video
from typed_commands import Done, run

HEADER = "id,video_id,start_frame,end_frame,class,total_frames,fps\n"
BACKBONE = ["backbone.name=manet_r18", "backbone.weights=random", "backbone.resize=36", "backbone.crop=32"]
RECOGNITION = ["configs/manet_ma52.yaml", *BACKBONE, "train.epochs=1", "train.workers=0", "device=cpu", "clips.videos="]
DETECTION = ["detector.width=32", "train.epochs=1", "device=cpu"]
ITEM = {"segment": [0, 4], "label": "nodding", "score": 0.9}


def check_refused(done: Done, *said: str, lines: int = 1, kind: str = "error") -> None:
    """said: words that the lines hold between them."""
    assert done.code == 2, f"exit code {done.code}\n{done.out}\n{done.err}"
    found = [line for line in done.err.splitlines() if line.startswith(f"{kind}: ")]
    assert len(found) == lines, done.err
    assert "Traceback" not in done.err
    for words in said:
        assert words in "\n".join(found)


def torn(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """clips/, a recognizer and a detector that are each trained for one epoch; read only."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "clips").mkdir()
    for i in range(4):
        write_video(folder / "clips" / f"v{i}.mp4", 20, first=20 * i)
    for part, chosen in (("train", (0, 1)), ("val", (2, 3))):
        (folder / f"{part}_list_videos.txt").write_text("".join(f"clips/v{i}.mp4 {i % 2}\n" for i in chosen))
        rows = [f"{i},v{i},2,12,{i % 2},20,25\n" for i in chosen]
        (folder / f"{part}.csv").write_text(HEADER + "".join(rows))
    rec, det = folder / "rec", folder / "det"
    for done in (
        run("tools/train_rec.py", *RECOGNITION, f"data.root={folder}", f"output={rec}"),
        run(
            *("tools/extract_features.py", "--videos", folder / "clips", "--out", folder / "features"),
            *("--checkpoint", rec / "best.pt", "device=cpu"),
        ),
        run("tools/train_det.py", "configs/mma52.yaml", *DETECTION, f"data.root={folder}", f"output={det}"),
    ):
        assert (done.code, done.err) == (0, "")
    return folder


@pytest.fixture
def data(tmp_path) -> Path:
    """Annotations and bare features of two videos to train on and two to judge by."""
    folder = tmp_path / "data"
    (folder / "features").mkdir(parents=True)
    for i, part in enumerate(("train", "train", "val", "val")):
        np.save(folder / "features" / f"v{i}.npy", np.random.default_rng(i).normal(size=(40, 8)).astype(np.float32))
        with open(folder / f"{part}.csv", "a") as file:
            file.write((HEADER if i % 2 == 0 else "") + f"{i},v{i},10,60,{i % 2},160,30\n")
    return folder


@pytest.fixture
def train(data):
    """train("key=value", ...) -> Done of the detector's training on `data`."""
    return lambda *settings, config="configs/mma52.yaml": run(
        "tools/train_det.py", config, *DETECTION, f"data.root={data}", f"output={data / 'out'}", *settings
    )


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        *("train.epochs=0", "train.batch=-1", "train.lr=nan", "train.lr=inf", "train.ema=1.5", "train.workers=-1"),
        *("train.weight_decay=nan", "train.clip_grad=nan", "train.warmup_epochs=nan", "train.momentum=-1"),
        *(
            "detector.folds=0",
            "detector.ridge=nan",
            "detector.groups=(",
            "detector.groups=person",  # no id holds it
            "detector.centring=-3",
            "detector.dilations=[]",
            "loss.alpha=-1",
            "loss.centre=nan",
        ),
        *("infer.sigma=0", "infer.iou=2", "infer.min_score=nan", "seed=abc", "seed=99999999999999999999"),
        *("train.epoch=3", "device=nonsense", "device=meta", "seed=2020-99-99", "output="),
    ],
)
def test_detector_settings(train, data, monkeypatch, setting):
    """Refused by name before anything is written."""
    monkeypatch.chdir(data)
    before = sorted(data.rglob("*"))
    more = ["train.optimizer=sgd"] if "momentum" in setting else []
    check_refused(train(*more, setting), setting.partition("=")[0].rpartition(".")[2])
    assert sorted(data.rglob("*")) == before


def test_bare_features_need_a_rate(train):
    check_refused(train("features.bare_stride=4", "features.bare_fps=0"), "bare_fps")


def test_bare_features_of_unlike_steps(train, data):
    np.save(data / "features" / "v1.npy", np.zeros((20, 8), np.float32))
    said = "v1 has 20 rows for 5.333 s, one every 0.267 s and v0 has 40 rows for 5.333 s, one every 0.133 s"
    check_refused(train(), f"{data / 'features'}: the rows are not equally far apart", said)
    assert train("features.bare_spread=true").code == 0


def test_a_folder_of_features_that_lacks_a_video(train, data):
    (data / "more").mkdir()
    said = f"{data / 'more'}: there are no features of any of the "
    check_refused(train("features.folders=[features,more]"), said)
    for path in sorted((data / "features").iterdir())[1:]:
        shutil.copy(path, data / "more")
    done = train("features.folders=[features,more]")
    assert done.code == 0 and "features by bare features/*.npy, spread over the duration + bare more/*.npy" in done.out
    assert f"note: 1 of 2 videos have no features in {data / 'more'}, such as v0: they are scored by" in done.out
    assert "\ntraining steps with features of each folder: features at 100 %, more at 50 %\n" in done.out


@pytest.mark.parametrize(
    "setting",
    ["clips.frames=0", "clips.scales=[]", "dropout=2", "seed=-1", "backbone.crop=-5", "clips.videos=nowhere"],
)
def test_recognizer_settings(trained, tmp_path, setting):
    done = run("tools/train_rec.py", *RECOGNITION, f"data.root={trained}", f"output={tmp_path / 'out'}", setting)
    check_refused(done, setting.partition("=")[2 if "nowhere" in setting else 0].rpartition(".")[2])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "mac2099-rec"),
        ("--batch", "0"),
        ("--list", "nowhere.txt"),
        ("--videos", "nowhere"),
        ("--out", "rec/best.pt"),
        ("crops=2",),
        ("crop=3",),
        ("balance=0.5",),
        ("--out", "clips"),
        ("train.csv",),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_recognize(trained, monkeypatch, arguments):
    monkeypatch.chdir(trained)
    before = {file: file.read_bytes() for file in trained.rglob("*.*") if file.is_file()}
    usual = {"--list": "val_list_videos.txt", "--videos": ".", "--out": "new.csv", "--device": "cpu"}
    usual |= {arguments[0]: arguments[1]} if len(arguments) == 2 else {}
    more = arguments if len(arguments) == 1 else ()
    options = [word for pair in usual.items() for word in pair]
    check_refused(run("tools/recognize.py", "rec/best.pt", *more, *options), arguments[-1].partition("=")[0])
    assert {file: file.read_bytes() for file in trained.rglob("*.*") if file.is_file()} == before


@pytest.mark.parametrize("content", [np.full((52, 3), "a"), np.zeros((52, 0)), np.zeros((51, 3))])
def test_label_vectors(trained, tmp_path, content):
    np.save(tmp_path / "vectors.npy", content)
    arguments = (f"data.root={trained}", f"output={tmp_path / 'out'}", f"embedding={tmp_path / 'vectors.npy'}")
    check_refused(run("tools/train_rec.py", *RECOGNITION, *arguments), "vectors.npy")


@pytest.mark.parametrize(
    "setting", ["stride=0", "fps=nan", "fps=-1", "mode=clip frames=-1", "backbone.crop=-5", "--shard=²/3", "--out="]
)
def test_extraction_settings(tmp_path, monkeypatch, setting):
    video, out = write_video(tmp_path / "a.mp4", 8), tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    done = run("tools/extract_features.py", "--videos", video, "--out", out, *BACKBONE, "device=cpu", *setting.split())
    check_refused(done, setting.split()[-1].partition("=")[0].rpartition(".")[2])
    assert list(tmp_path.rglob("a.npy")) == []


def test_a_misspelt_key_of_extraction(tmp_path):
    done = run("tools/extract_features.py", "--videos", tmp_path, "--out", tmp_path / "out", "strde=8")
    check_refused(done, "error: argument 'strde=8': unknown key 'strde'; did you mean stride?")
    assert not (tmp_path / "out").exists()


def test_an_unknown_option_of_extraction(tmp_path):
    done = run("tools/extract_features.py", "--videos", tmp_path, "--out", tmp_path / "out", "--overwrite", "stride=0")
    assert done.code == 2 and "--overwrite" in done.err


@pytest.mark.parametrize(
    "content",
    [
        b"- 1\n",
        b"a: \xe9\n",
        b"a: !!python/object/apply:os.mkdir [taken]\n",
        b"seed: 2020-99-99\n",
        b"a: " + b"[" * 2000,
        b"train: &t\n  epochs: *t\n",
        b"train: {step_epochs: [[1]]}\n",
    ],
    ids=["list", "no UTF-8", "python tag", "no date", "deep", "holds itself", "wrong type"],
)
def test_yaml(train, data, monkeypatch, content):
    monkeypatch.chdir(data)
    (data / "config.yaml").write_bytes(content)
    check_refused(train(config=data / "config.yaml"), "config.yaml")
    assert not (data / "taken").exists()


# --- data to train on -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("v1", None),
        ("v1", np.zeros((0, 8), np.float32)),
        ("v1", np.zeros((40, 9), np.float32)),
        ("v2 v3", np.zeros((40, 9), np.float32)),
        ("v1", np.full((40, 8), "a")),
        ("v3", np.full((40, 8), np.nan)),
    ],
    ids=["none", "no step", "other channels", "other channels in val", "text", "NaN"],
)
def test_feature_arrays(train, data, name, values):
    for video_id in name.split():
        (data / "features" / f"{video_id}.npy").unlink()
        if values is not None:
            np.save(data / "features" / f"{video_id}.npy", values)
    check_refused(train(), name.split()[0])


@pytest.mark.parametrize("content", ["empty", "torn", "npy"])
def test_feature_archives(train, data, content):
    path = data / "features" / "v1.npz"
    (data / "features" / "v1.npy").rename(path)
    if content != "npy":
        np.savez(path, feats=np.zeros((40, 8)))
        torn(path)
    if content == "empty":
        path.write_bytes(b"")
    check_refused(train(), "v1.npz")


@pytest.mark.parametrize(
    "actions",
    [{"train": [], "val": [ITEM]}, {"train": [ITEM], "val": []}, {"train": [ITEM]}],
    ids=["no action in train", "no action in val", "no val"],
)
def test_subsets(train, data, actions):
    parts = [part for part in ("train", "train", "val", "val") if part in actions]
    videos = {f"v{i}": {"duration": 5, "subset": part, "annotations": actions[part]} for i, part in enumerate(parts)}
    (data / "all.json").write_text(json.dumps({"database": videos}))
    check_refused(train("data.train=all.json", "data.val=all.json"))


def test_training_goes_on_only_from_what_it_saved(train, data):
    assert train().code == 0
    best = (data / "out" / "best.pt").read_bytes()
    (data / "out" / "last.pt").write_bytes(best)  # what people try who lost last.pt
    check_refused(train(), "last.pt")
    assert (data / "out" / "best.pt").read_bytes() == best


def test_training_goes_on_only_with_the_data_it_began_with(train, data):
    assert train().code == 0
    before = (data / "out" / "last.pt").read_bytes()
    (data / "train.csv").write_text((data / "train.csv").read_text().replace(",10,60,", ",10,61,", 1))
    check_refused(train(), "last.pt: was trained with other annotations of data.train; choose another output=DIR")
    assert (data / "out" / "last.pt").read_bytes() == before


# --- videos and checkpoints -----------------------------------------------------------------------------------------


def test_bad_videos_are_named_and_good_ones_done(trained, tmp_path):
    """One line a bad video; very short and very small ones are no problem."""
    videos = tmp_path / "videos"
    videos.mkdir()
    write_video(videos / "<one frame> é.mp4", 1)
    write_video(videos / "small.mp4", 12, size=(16, 16))
    write_audio(videos / "audio.mp4")
    cut_off(videos / "cut.mp4", write_video(tmp_path / "source.mp4", 40, between=0), 10)
    (videos / "empty.mp4").touch()
    (videos / "text.mp4").write_text("no video\n")
    arguments = ("--detector", trained / "det/best.pt", "--recognizer", trained / "rec/best.pt", "--device", "cpu")
    done = run("tools/detect.py", videos, *arguments, "--out", tmp_path / "out", "--overlay")
    check_refused(done, "audio.mp4", "cut.mp4", "empty.mp4", "text.mp4", lines=4)
    overlays = sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir())
    assert overlays == ["_one frame_ é.mp4", "cut.mp4", "small.mp4"]
    found = json.loads((tmp_path / "out" / "predictions.json").read_text())["results"]
    assert sorted(found) == ["<one frame> é", "cut", "small"]
    assert "<one frame>" not in (tmp_path / "out" / "report.html").read_text()


def test_a_bad_name_does_not_stop_the_others(trained, tmp_path):
    for name in ("a\nb", "good"):
        shutil.copy(trained / "clips" / "v0.mp4", tmp_path / f"{name}.mp4")
    done = run("tools/extract_features.py", "--videos", tmp_path, "--out", tmp_path / "out", *BACKBONE, "device=cpu")
    check_refused(done, r"a\nb")
    assert (tmp_path / "out" / "good.json").exists()


class Evil:
    def __reduce__(self):
        return Path.mkdir, (Path("taken"),)


CHECKPOINTS = {
    "random bytes": lambda path, good: path.write_bytes(bytes(range(256))),
    "torn": lambda path, good: torn(path),
    "code": lambda path, good: path.write_bytes(pickle.dumps({"model": Evil()}, protocol=2)),
    "a list": lambda path, good: torch.save([1], path),
    "no labels": lambda path, good: torch.save({**good, "labels": {}}, path),
    "no config": lambda path, good: torch.save({**good, "config": None}, path),
    "no tensors": lambda path, good: torch.save({**good, "model": [1]}, path),
    "no features": lambda path, good: torch.save({k: v for k, v in good.items() if k != "features"}, path),
}


@pytest.mark.parametrize(
    ("kind", "how"),
    [(kind, how) for kind in ("rec", "det") for how in CHECKPOINTS if (kind, how) != ("rec", "no features")],
)
def test_checkpoints(trained, tmp_path, monkeypatch, kind, how):
    monkeypatch.chdir(tmp_path)
    path, out = tmp_path / "bad.pt", tmp_path / "out"
    shutil.copy(trained / kind / "best.pt", path)
    CHECKPOINTS[how](path, torch.load(path, weights_only=True))
    video = trained / "clips" / "v0.mp4"
    if kind == "det":
        more = ("--recognizer", trained / "rec" / "best.pt", "--device", "cpu")
        done = run("tools/detect.py", video, "--detector", path, *more, "--out", out)
    else:
        done = run("tools/extract_features.py", "--videos", video, "--out", out, "--checkpoint", path, "device=cpu")
    check_refused(done, f"error: {path}: ", "not a checkpoint that can be read safely" if how == "random bytes" else "")
    assert not out.exists()
    assert not (tmp_path / "taken").exists()


def _no_network(*_, **__):
    raise OSError("no network")


@pytest.mark.parametrize(("detector", "recognizer"), [("rec", "rec"), ("det", "det"), ("det", None)])
def test_checkpoints_of_the_other_kind(trained, tmp_path, monkeypatch, detector, recognizer):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # no weights of earlier downloads, and none of new ones
    monkeypatch.setattr(torch.hub, "urlopen", _no_network)
    more = ("--recognizer", trained / recognizer / "best.pt") if recognizer else ()
    arguments = ("--detector", trained / detector / "best.pt", *more, "--device", "cpu", "--out", tmp_path / "out")
    check_refused(
        run("tools/detect.py", trained / "clips" / "v0.mp4", *arguments), "best.pt" if recognizer else "--recognizer"
    )
    assert not (tmp_path / "out").exists()


# --- files that people write ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.csv", HEADER + "0,v,x,30,99,90,30\n", "problem"),
        ("a.csv", HEADER + "0,../v,0,30,1,90,30\n", "problem"),
        ("a.csv", HEADER, "problem"),
        ("a.csv", HEADER + "0,v\x81,0,30,1,90,30\n", "error"),  # in no encoding: Windows-1252 is read
        ("a.csv", HEADER + f"0,{'v' * 5000},0,30,1,90,30\n", "problem"),
        ("a.json", '{"database": {"v": {"duration": ' + "9" * 5000 + "}}}", "error"),
        (
            "a.json",
            json.dumps({"database": {"v": {"duration": 5, "fps": float("nan"), "annotations": [ITEM]}}}),
            "problem",
        ),
        (
            "a.json",
            json.dumps({"database": {"v": {"duration": 5, "fps": -3, "annotations": [ITEM]}}}),
            "problem",
        ),
        ("a.txt", "../a.mp4 1\n", "problem"),
    ],
    ids=["number", "leaves", "no rows", "no text", "long id", "long number", "fps NaN", "fps < 0", "list leaves"],
)
def test_check_data(tmp_path, name, content, kind):
    """Also with --videos, where each file is looked for: still nothing but the lines."""
    (tmp_path / name).write_text(content, encoding="latin-1")
    check_refused(run("tools/check_data.py", tmp_path / name), name, kind=kind) if "vvv" not in content else None
    done = run("tools/check_data.py", tmp_path / name, "--videos", tmp_path)
    assert done.code == 2, done.out
    assert done.err.startswith(f"{kind}: ")


@pytest.fixture
def judged(tmp_path) -> Path:
    """truth.csv, predictions.json that name it, and prediction.csv of one recognised clip with its list.txt."""
    (tmp_path / "truth.csv").write_text(HEADER + "0,v1,0,120,9,300,30\n")
    (tmp_path / "predictions.json").write_text(json.dumps({"ground_truth": "truth.csv", "results": {"v1": [ITEM]}}))
    (tmp_path / "prediction.csv").write_text("Id,pred_label_1,pred_label_2\na.mp4,1,5\n")
    (tmp_path / "list.txt").write_text("a.mp4 5\n")
    return tmp_path


@pytest.mark.parametrize(
    "content",
    [
        {"results": {"v1": [{**ITEM, "score": [0.5]}]}, "ground_truth": "truth.csv"},
        {"results": {"v1": [{**ITEM, "segment": [[0, 1]]}]}, "ground_truth": "truth.csv"},
        {"results": {"v1": [{**ITEM, "segment": [4, 0]}]}, "ground_truth": "truth.csv"},
        {"results": {"v1": [ITEM]}, "ground_truth": "a\0b"},
        {"results": {"v1": [ITEM]}, "ground_truth": "x" * 5000},
    ],
    ids=["score is a list", "segment of lists", "end before start", "NUL in a name", "long name"],
)
def test_map(judged, content):
    (judged / "predictions.json").write_text(json.dumps(content))
    check_refused(run("eval/map.py", judged / "predictions.json"))


@pytest.mark.parametrize(
    "content",
    [
        "Id,pred_label_1,pred_label_2\na.mp4,²,5\n",
        "Id,pred_label_1,pred_label_2\na.mp4,1,99\n",
        "vid,action_pred_1,action_pred_3,body_pred_1,body_pred_3\na.mp4,5,6,1,1\n",
    ],
    ids=["no digit", "unknown label", "no second rank"],
)
def test_recognition(judged, content):
    (judged / "prediction.csv").write_text(content, encoding="utf-8")
    done = run("eval/recognition.py", judged / "prediction.csv", "--ground-truth", judged / "list.txt")
    check_refused(done, "prediction.csv")


@pytest.mark.parametrize("out", ["truth.csv/below", ".", "x" * 300], ids=["below a file", "folder", "long name"])
@pytest.mark.parametrize("command", ["tools/export.py", "eval/map.py"])
def test_places_that_cannot_be_written(judged, monkeypatch, command, out):
    monkeypatch.chdir(judged)
    options = ("--format", "csv", "--out") if "export" in command else ("--json",)
    before = sorted(judged.iterdir())
    check_refused(run(command, "predictions.json", *options, out))
    assert sorted(judged.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("tools/export.py", "predictions.json", "--format", "csv", "--out", "predictions.json"),
        ("tools/export.py", "predictions.json", "--format", "csv", "--list", "truth.csv", "--out", "truth.csv"),
        ("eval/map.py", "predictions.json", "--json", "predictions.json"),
        ("eval/map.py", "predictions.json", "--json", "truth.csv"),
        ("eval/recognition.py", "prediction.csv", "--ground-truth", "list.txt", "--json", "list.txt"),
    ],
    ids=["export", "export --list", "map", "map truth", "recognition"],
)
def test_an_input_is_never_written_over(judged, monkeypatch, arguments):
    monkeypatch.chdir(judged)
    before = {file.name: file.read_bytes() for file in judged.iterdir()}
    check_refused(run(*arguments), arguments[-1])
    assert {file.name: file.read_bytes() for file in judged.iterdir()} == before


# --- what others write, and what is counted from it ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "elan", "--tiers", "finger"), "--tiers"),
        (("--format", "fiftyone"), "give --fps N"),
        (("--format", "fiftyone", "--fps", "-1"), "--fps"),
        (("--format", "csv", "--min-score", "2"), "--min-score"),
        (("--format", "csv", "--min-score", "nan"), "--min-score"),
        (("--format", "csv", "--best", "0"), "--best"),
        (("--format", "csv", "--thresholds", "truth.csv"), "truth.csv"),
        (("--format", "csv", "--thresholds", "missing.json"), "missing.json"),
        (("--format", "elan", "--videos", "missing"), "missing"),
        (("--format", "elan", "--videos", "truth.csv"), "truth.csv"),
        (("--format", "elana"), "choose one of predictions, mac2024"),
    ],
)
def test_export_options(judged, monkeypatch, options, said):
    monkeypatch.chdir(judged)
    before = sorted(judged.iterdir())
    check_refused(run("tools/export.py", "predictions.json", *options, "--out", "out"), said)
    assert sorted(judged.iterdir()) == before


BAD_FILES = {
    "entities.eaf": '<!DOCTYPE x [<!ENTITY a "aaaa">]><ANNOTATION_DOCUMENT>&a;</ANNOTATION_DOCUMENT>',
    "torn.eaf": "<ANNOTATION_DOCUMENT><HEADER",
    "words.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\nnoding\n",
    "backwards.txt": "3\t1\tnodding\n",
    "text_events.tsv": "onset\tduration\ttrial_type\nx\t1\tnodding\n",
    "boris.csv": "Observation id,Behavior,Start (s),Stop (s)\nv1,nodding,1\n",
    "studio.json": '[{"data": {}}]',
    "studio_min.json": '[{"annotator": 1, "annotation_id": 2, "video": ".."}]',
    "fiftyone.json": '{"labels": {"../v1": []}}',
    "samples.json": '{"samples": [{"filepath": "data/../../v1.mp4"}]}',
    "via.json": '{"metadata": {"x": {"vid": []}}, "view": {}, "file": {}}',
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("command", ["export", "map", "ethogram", "agreement", "thresholds"])
def test_files_of_other_programs(judged, monkeypatch, command, name):
    monkeypatch.chdir(judged)
    Path(name).write_text(BAD_FILES[name])
    before = sorted(judged.iterdir())
    arguments = {
        "export": ("tools/export.py", name, "--format", "csv", "--out", "out.csv"),
        "map": ("eval/map.py", "predictions.json", "--ground-truth", name),
        "ethogram": ("tools/ethogram.py", name, "--out", "out"),
        "agreement": ("eval/agreement.py", "truth.csv", name, "--json", "out.json"),
        "thresholds": ("eval/thresholds.py", "predictions.json", "--ground-truth", name, "--out", "out.json"),
    }
    check_refused(run(*arguments[command]), name)
    assert sorted(judged.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tools/ethogram.py", "predictions.json", "--out", "out"), "give --min-score X or --thresholds FILE"),
        (("tools/ethogram.py", "empty", "--out", "out"), "no annotations in this folder"),
        (("tools/ethogram.py", "missing.json", "--out", "out"), "missing.json"),
        (("tools/ethogram.py", "truth.csv", "--out", "list.txt"), "list.txt"),
        (("tools/ethogram.py", "truth.csv", "--out", "out", "--min-score", "-1"), "--min-score"),
        (("eval/agreement.py", "truth.csv", "predictions.json"), "give --min-score X or --thresholds FILE"),
        (("eval/agreement.py", "truth.csv", "truth.csv", "--tiou", "1"), "--tiou"),
        (("eval/agreement.py", "truth.csv", "truth.csv", "--step", "0"), "--step"),
        (("eval/agreement.py", "truth.csv", "other.csv"), "no video of truth.csv is in it"),
        (("eval/agreement.py", "truth.csv", "other.csv", "--json", "other.csv"), "other.csv"),
        (
            ("eval/thresholds.py", "predictions.json", "--ground-truth", "other.csv", "--out", "out"),
            "no detection meets",
        ),
        (("eval/thresholds.py", "predictions.json", "--ground-truth", "truth.csv", "--out", "truth.csv"), "truth.csv"),
        (("eval/thresholds.py", "predictions.json", "--ground-truth", "empty", "--out", "out"), "empty"),
        (
            ("eval/thresholds.py", "predictions.json", "--ground-truth", "truth.csv", "--out", "out", "--tiou", "nan"),
            "--tiou",
        ),
    ],
)
def test_counting(judged, monkeypatch, arguments, said):
    monkeypatch.chdir(judged)
    Path("empty").mkdir()
    Path("other.csv").write_text(HEADER + "0,v9,0,120,9,300,30\n")
    before = {file: file.read_bytes() for file in judged.iterdir() if file.is_file()}
    check_refused(run(*arguments), said)
    assert {file: file.read_bytes() for file in judged.iterdir() if file.is_file()} == before


# --- made-up data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        ("--videos", "-3"),
        ("--clips", "-1"),
        ("--seed", "-1"),
        ("--size", "270"),
        ("--size", "271x324"),
        ("--size", "0x0"),
        ("--classes", "noding"),
        ("--samples", "0"),
        ("--longest", "nan"),
        ("--workers", "-1"),
    ],
)
def test_synthetic_numbers(tmp_path, option):
    arguments = [*("--videos", "0", "--clips", "0"), *option]
    refused = {"--size": "", "--classes": "nodding"}.get(option[0], option[0].lstrip("-"))
    check_refused(run("tools/make_synthetic.py", tmp_path / "out", *arguments), refused)
    assert not (tmp_path / "out").exists()


def test_real_annotations_are_not_written_over(data):
    """`make_synthetic.py mma52` in the folder of the gated data."""
    before = (data / "train.csv").read_text()
    check_refused(run("tools/make_synthetic.py", data, "--videos", "1", "--clips", "0"), "train.csv")
    assert not (data / "settings.json").exists()
    assert (data / "train.csv").read_text() == before


@pytest.mark.parametrize("setting", ["render.videos=0", "render.seed=-1", "detection.detector.folds=0", "foo=1"])
def test_demo_settings(tmp_path, setting):
    key = setting.partition("=")[0].removeprefix("render.")
    check_refused(run("tools/demo.py", tmp_path / "out", "render.clips=1", "render.videos=1", setting), key)
    assert not (tmp_path / "out").exists()


def test_settings_of_joints_for_a_detector_that_reads_none(trained, tmp_path):
    models = ("--detector", trained / "det/best.pt", "--recognizer", trained / "rec/best.pt", "device=cpu")
    done = run("tools/detect.py", trained / "clips" / "v0.mp4", "fps=10", *models, "--out", tmp_path / "out")
    check_refused(done, "error: argument 'fps=10': says how joints are found, and this detector reads no joints")
    assert not (tmp_path / "out").exists()
