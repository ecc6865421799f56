import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from interrupted import ctrl_c
from torch import nn

from mmad.config import DataConfig, DetectionConfig, DetectorConfig, InferConfig, TrainConfig, load_config
from mmad.engine import train_detector as detection
from mmad.engine import trainer as train
from mmad.engine.checkpoint import load_detector
from mmad.engine.optim import AveragedWeights, learning_rate, make_optimizer
from mmad.errors import Diverged, InputError, run_command
from mmad.labels import MMA52
from mmad.weight_files import read_checkpoint

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Eight videos of 4 to 7 s at 24 steps a second; class k shows in channel k. Six are for training."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "features").mkdir()
    rng, database = np.random.default_rng(0), {}
    for i in range(8):
        steps = int(rng.integers(96, 168))
        at = (np.arange(steps) + 0.5) / 24
        values, actions = 0.1 * rng.normal(size=(steps, 6)).astype(np.float32), []
        for k in range(3):
            start, length = rng.uniform(0, 2), rng.uniform(0.5, 2)
            values[(start <= at) & (at <= start + length), k] += 1
            actions.append({"segment": [start, start + length], "label": MMA52.actions[k]})
        np.save(folder / "features" / f"v{i}.npy", values)
        database[f"v{i}"] = {"subset": "val" if i > 5 else "train", "duration": steps / 24, "annotations": actions}
    (folder / "truth.json").write_text(json.dumps({"database": database}))
    return folder


def config_of(data: Path, output: Path, **train) -> DetectionConfig:
    return DetectionConfig(
        output=str(output),
        device="cpu",
        data=DataConfig(root=str(data), train="truth.json", val="truth.json"),
        detector=DetectorConfig(width=8, dilations=[1, 2], folds=2, centring=4, random=16),
        train=TrainConfig(**{"epochs": 3, "batch": 2, "ema": 0.9, **train}),
        infer=InferConfig(window=120, max_detections=20),  # shorter than some videos: random windows
    )


def rows_of(output: Path) -> list[dict]:
    """metrics.jsonl without the seconds, which no two runs share."""
    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def same(a, b) -> bool:
    """Whether two trees of tensors, dicts and lists are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


# --- the command ------------------------------------------------------------------------------------------------


def test_the_command_leaves_everything(data, tmp_path, capsys):
    (tmp_path / "tiny.yaml").write_text(
        "detector: {width: 16, dilations: [1, 2], folds: 3, random: 64}\ntrain: {epochs: 12, batch: 1, lr: 1e-2}\n"
    )
    output = tmp_path / "run"
    command = [sys.executable, "tools/train_det.py", str(tmp_path / "tiny.yaml"), f"data.root={data}"]
    command += ["data.train=truth.json", "data.val=truth.json", "device=cpu", f"output={output}"]

    def run(*more: str) -> subprocess.CompletedProcess:
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run([*command, *more], cwd=REPOSITORY, env=one_thread, capture_output=True, text=True)

    first = run()
    assert first.returncode == 0, first.stderr
    assert {path.name for path in output.iterdir()} == {
        *("config.yaml", "metrics.jsonl", "last.pt", "best.pt", "predictions.json", "report.json", "tensorboard")
    }
    assert list((output / "tensorboard").iterdir())
    assert [row["epoch"] for row in rows_of(output)] == list(range(1, 13))
    predictions = json.loads((output / "predictions.json").read_text())
    assert predictions["results"].keys() == {"v6", "v7"}
    assert (output / predictions["ground_truth"]).resolve() == data / "truth.json"
    assert (predictions["subset"], predictions["fps"], predictions["labels"]) == ("val", None, "mma52")
    assert predictions["results"]["v6"][0].keys() == {"segment", "label", "score"}
    report = json.loads((output / "report.json").read_text())
    best = max(row["score"] for row in rows_of(output))
    assert report["average"] == pytest.approx(best, abs=1e-3) and best > 0
    epoch = max(rows_of(output), key=lambda row: row["score"])["epoch"]
    chosen = "best of 12 evaluations on these same 2 videos"
    assert report["checkpoint"] == {"epoch": epoch, "evaluations": 12, "chosen": chosen}
    assert f"epoch {epoch}, {chosen}:" in first.stdout
    _, labels, config, features = load_detector(output / "best.pt")
    assert labels == MMA52 and config.train.epochs == 12
    assert features["channels"] == 6 and features["source"].startswith("bare ")

    detection.train_detector(load_config(DetectionConfig, output / "config.yaml"))  # all done: evaluated once more
    assert "after epoch 12" in capsys.readouterr().out
    assert json.loads((output / "predictions.json").read_text()) == predictions

    refused = run("train.lr=5")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1 and "was trained with another train.lr" in refused.stderr


def test_evaluating_the_predictions_again_gives_the_figures_of_training(data, tmp_path, monkeypatch, capsys):
    """Another rate, another label file, another subset: nothing has to be given again, also after all was moved."""
    here = tmp_path / "here"
    shutil.copytree(data, here / "data")
    videos = json.loads((data / "truth.json").read_text())["database"]
    names = [f"action {k}" for k in range(3)]
    (here / "data" / "labels.txt").write_text("".join(f"{k}\t{name}\tpart {k % 2}\n" for k, name in enumerate(names)))
    for part, chosen in (("train", range(6)), ("val", (6, 7))):
        rows = ["video_id,start_frame,end_frame,class,total_frames"]
        for video_id, video in ((f"v{i}", videos[f"v{i}"]) for i in chosen):
            for k, item in enumerate(video["annotations"]):
                start, end = (25 * time for time in item["segment"])
                rows.append(f"{video_id},{start},{end},{k},{25 * video['duration']}")
        (here / "data" / f"{part}.csv").write_text("\n".join(rows) + "\n")
    config = config_of(here / "data", here / "run", epochs=12, batch=1, lr=0.01, evaluate_every=12)
    files = {"train": "train.csv", "val": "val.csv", "labels": str(here / "data" / "labels.txt"), "fps": 25.0}
    detection.train_detector(replace(config, data=replace(config.data, val_subset="test", **files)))
    said = capsys.readouterr()
    assert "assumed" not in said.err
    report = json.loads((here / "run" / "report.json").read_text())
    chosen = "the last, evaluated once on 2 videos (nothing was chosen)"
    assert report.pop("checkpoint") == {"epoch": 12, "evaluations": 1, "chosen": chosen}
    assert f"epoch 12, {chosen}:" in said.out and report["average"] > 0.05
    for name in ("predictions.json", "report.json"):
        assert str(tmp_path) not in (here / "run" / name).read_text()

    here.rename(tmp_path / "there")
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, REPOSITORY / "eval" / "map.py", "there/run/predictions.json", "--json", "map.json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(Path("map.json").read_text()) == report


# --- stopping and going on --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer, ema", [("adamw", 0.0), ("sgd", 0.9)])
def test_stopped_and_resumed_equals_in_one_go(data, tmp_path, monkeypatch, optimizer, ema):
    settings = {"ema": ema, "optimizer": optimizer, "lr": 0.01}
    detection.train_detector(config_of(data, tmp_path / "whole", **settings))
    with ctrl_c(monkeypatch, detection, number=5):  # three batches an epoch: in the middle of the second
        detection.train_detector(config_of(data, tmp_path / "cut", **settings))
    assert [row["epoch"] for row in rows_of(tmp_path / "cut")] == [1]
    detection.train_detector(config_of(data, tmp_path / "cut", **settings))

    assert rows_of(tmp_path / "cut") == rows_of(tmp_path / "whole")
    assert len(rows_of(tmp_path / "cut")) == 3
    for name in ("last.pt", "best.pt"):
        whole, cut = (read_checkpoint(tmp_path / run / name) for run in ("whole", "cut"))
        for content in (whole, cut):
            content.pop("history", None)  # holds the seconds
            content["config"].pop("output")
        assert same(whole, cut), name
    results = [json.loads((tmp_path / run / "predictions.json").read_text())["results"] for run in ("whole", "cut")]
    assert results[0] == results[1]


def test_a_stop_in_the_first_epoch_leaves_nothing_half_written(data, tmp_path, monkeypatch):
    with ctrl_c(monkeypatch, detection, number=2):
        detection.train_detector(config_of(data, tmp_path / "cut"))
    left = {path.name for path in (tmp_path / "cut").iterdir()}
    assert left == {"config.yaml", "tensorboard", detection.PROBE_FILE, detection.SCORES_FILE}


@contextmanager
def solutions(monkeypatch):
    """Within it, yields a list that has an item for each time that the probe was solved."""
    original, calls = detection.fit_probe, []

    def counted(*arguments):
        calls.append(None)
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(detection, "fit_probe", counted)
        yield calls


def test_what_was_solved_in_closed_form_is_not_solved_again(data, tmp_path, monkeypatch):
    """Stopped in the first epoch, in the second, and when all is done; the end is that of training in one go."""
    output = tmp_path / "cut"
    kept = [output / name for name in (detection.PROBE_FILE, detection.SCORES_FILE)]
    with solutions(monkeypatch) as calls:
        detection.train_detector(config_of(data, tmp_path / "whole"))
        assert len(calls) == 1
        for number in (2, 5):
            with ctrl_c(monkeypatch, detection, number):
                detection.train_detector(config_of(data, output))
            assert len(calls) == 2 and all(path.exists() for path in kept)
        detection.train_detector(config_of(data, output))
        assert len(calls) == 2 and not any(path.exists() for path in kept)
        detection.train_detector(config_of(data, output))
        assert len(calls) == 2
    assert rows_of(output) == rows_of(tmp_path / "whole")
    whole, cut = (read_checkpoint(tmp_path / run / "best.pt") for run in ("whole", "cut"))
    assert same(whole["model"], cut["model"])


SOLVED_AGAIN = {  # what is changed after a stop in the first epoch: how, and whether the probe is solved again
    "train.lr": (lambda c: replace(c, train=replace(c.train, lr=0.5)), False),
    "detector.ridge": (lambda c: replace(c, detector=replace(c.detector, ridge=0.3)), True),
    "detector.groups": (lambda c: replace(c, detector=replace(c.detector, groups="v.")), True),
    "seed": (lambda c: replace(c, seed=5), True),
    "data.train": (lambda c: change_truth(Path(c.data.root), other_label) or c, True),
    "features": (lambda c: change_array(Path(c.data.root), "v2") or c, True),
}


@pytest.mark.parametrize("what", SOLVED_AGAIN)
def test_with_other_settings_or_data_the_probe_is_solved_again(data, tmp_path, monkeypatch, what):
    change, again = SOLVED_AGAIN[what]
    config = config_of(shutil.copytree(data, tmp_path / "data"), tmp_path / "run", epochs=1)
    with ctrl_c(monkeypatch, detection, 2):
        detection.train_detector(config)
    changed = change(config)
    with solutions(monkeypatch) as calls:
        detection.train_detector(changed)
        detection.train_detector(replace(changed, output=str(tmp_path / "new")))
    assert len(calls) == again + 1
    old, new = (read_checkpoint(tmp_path / run / "best.pt")["model"] for run in ("run", "new"))
    assert same(old, new)


@pytest.mark.parametrize("damage", ["no probe, as a stop between the two leaves it", "scores cut off"])
def test_an_incomplete_probe_is_fitted_again(data, tmp_path, monkeypatch, damage):
    with ctrl_c(monkeypatch, detection, 2):
        detection.train_detector(config_of(data, tmp_path / "run"))
    if damage == "scores cut off":
        os.truncate(tmp_path / "run" / detection.SCORES_FILE, 1000)
    else:
        (tmp_path / "run" / detection.PROBE_FILE).unlink()
    with solutions(monkeypatch) as calls:
        detection.train_detector(config_of(data, tmp_path / "run"))
    assert len(calls) == 1


def test_workers_change_nothing_and_stay_over_the_epochs(data, tmp_path, monkeypatch):
    started = []

    class Watched(detection.DataLoader):
        def _get_iterator(self):
            started.append(self.num_workers)
            return super()._get_iterator()

    monkeypatch.setattr(detection, "DataLoader", Watched)
    for workers in (0, 1):
        detection.train_detector(config_of(data, tmp_path / str(workers), workers=workers))
    assert started == [0, 0, 0, 1]  # three epochs each
    assert rows_of(tmp_path / "0") == rows_of(tmp_path / "1")
    one, other = (read_checkpoint(tmp_path / str(workers) / "last.pt") for workers in (0, 1))
    for part in ("model", "average", "optimizer"):
        assert same(one[part], other[part]), part


def test_each_epoch_sees_other_windows_of_long_videos(data, tmp_path, monkeypatch):
    original, starts = detection.detector_losses, {}

    def watched(model, batch, config):
        for name, grid in zip(batch.video_ids, batch.grids):
            starts.setdefault(name, []).append(grid.start)
        return original(model, batch, config)

    monkeypatch.setattr(detection, "detector_losses", watched)
    detection.train_detector(config_of(data, tmp_path / "run"))
    assert all(len(seen) == 3 for seen in starts.values())
    assert any(len(set(seen)) > 1 for seen in starts.values())


def test_another_seed_gives_another_detector(data, tmp_path):
    weights = []
    for seed in (0, 1):
        config = replace(config_of(data, tmp_path / str(seed), epochs=1), seed=seed)
        detection.train_detector(config)
        weights.append(read_checkpoint(tmp_path / str(seed) / "last.pt")["model"])
    assert not same(*weights)


OTHER = {  # setting: how it is changed
    "train.lr": lambda c: replace(c, train=replace(c.train, lr=0.5)),
    "train.epochs": lambda c: replace(c, train=replace(c.train, epochs=9)),
    "detector.width": lambda c: replace(c, detector=replace(c.detector, width=16)),
    "loss.gamma": lambda c: replace(c, loss=replace(c.loss, gamma=1.0)),
    "seed": lambda c: replace(c, seed=5),
}


def test_other_settings_are_refused_on_resume(data, tmp_path, monkeypatch):
    config = config_of(data, tmp_path / "run", epochs=2)
    with ctrl_c(monkeypatch, detection, 5):  # in the second epoch
        detection.train_detector(config)
    before = (tmp_path / "run" / "config.yaml").read_text()
    for name, change in OTHER.items():
        with (
            solutions(monkeypatch) as calls,
            pytest.raises(InputError, match=rf"last\.pt: was trained with another {name}; choose another output=DIR$"),
        ):
            detection.train_detector(change(config))
        assert calls == []  # at once
        assert (tmp_path / "run" / "config.yaml").read_text() == before  # the refused settings leave no trace
    moved = replace(config, train=replace(config.train, workers=1))
    assert detection.train_detector(moved)["epoch"] in (1, 2)  # where and with how many hands does not matter
    assert len(rows_of(tmp_path / "run")) == 2


def test_a_run_whose_settings_have_their_old_names_goes_on(data, tmp_path):
    config = config_of(data, tmp_path / "run", epochs=1)
    detection.train_detector(config)
    last = tmp_path / "run" / "last.pt"
    content = torch.load(last, weights_only=True)
    loss = content["config"]["loss"]
    loss["pairs"], loss["others"] = loss.pop("boundary_samples"), loss.pop("negative_classes")
    torch.save(content, last)
    assert detection.train_detector(config)["epoch"] == 1
    del loss["centre"]  # a run of a version that had no such setting: it counts as its default
    torch.save(content, last)
    assert detection.train_detector(config)["epoch"] == 1
    with pytest.raises(InputError, match=r"last\.pt: was trained with another loss\.centre"):
        detection.train_detector(replace(config, loss=replace(config.loss, centre=0.4)))
    loss["others"] += 1
    torch.save(content, last)
    with pytest.raises(InputError, match=r"last\.pt: was trained with another loss\.negative_classes"):
        detection.train_detector(config)


def test_a_run_of_when_30_frames_a_second_were_the_default_goes_on(data, tmp_path):
    """What the rate changes is in the annotations, and these are compared."""
    config = config_of(data, tmp_path / "run", epochs=1)
    detection.train_detector(replace(config, data=replace(config.data, fps=30.0)))
    assert detection.train_detector(config)["epoch"] == 1


def change_truth(data: Path, change) -> None:
    """Write truth.json anew, after change(videos)."""
    content = json.loads((data / "truth.json").read_text())
    change(content["database"])
    (data / "truth.json").write_text(json.dumps(content, indent=2))


def change_array(data: Path, name: str) -> None:
    values = np.load(data / "features" / f"{name}.npy")
    np.save(data / "features" / f"{name}.npy", values + 1)


def longer(videos: dict) -> None:
    videos["v6"]["annotations"][0]["segment"][1] += 0.04


def other_label(videos: dict) -> None:
    videos["v0"]["annotations"][0]["label"] = MMA52.actions[5]


def one_less(videos: dict) -> None:
    del videos["v3"]


OTHER_DATA = {
    "annotations of data.train": [
        lambda data: change_truth(data, other_label),
        lambda data: change_truth(data, one_less),
        lambda data: change_truth(data, lambda videos: videos["v1"].update(duration=6.0)),
    ],
    "annotations of data.val": [lambda data: change_truth(data, longer)],
    "features of data.train": [lambda data: change_array(data, "v2")],
    "features of data.val": [lambda data: change_array(data, "v7")],
}


def test_other_data_is_refused_on_resume(data, tmp_path):
    """Each change in a copy of its own, found at the same place, as settings hold paths."""
    here = tmp_path / "data"
    config = config_of(shutil.copytree(data, here), tmp_path / "run", epochs=1)
    detection.train_detector(config)
    last = (tmp_path / "run" / "last.pt").read_bytes()
    for what, changes in OTHER_DATA.items():
        for change in changes:
            change(here)
            said = rf"last\.pt: was trained with other {what}; choose another output=DIR$"
            with pytest.raises(InputError, match=said):
                detection.train_detector(config)
            shutil.rmtree(here)
            shutil.copytree(data, here)
    assert (tmp_path / "run" / "last.pt").read_bytes() == last
    change_truth(here, lambda videos: None)  # the same, written otherwise
    assert detection.train_detector(config)["epoch"] == 1


def test_a_label_file_that_was_changed_is_refused_on_resume(data, tmp_path):
    (tmp_path / "labels.txt").write_text("\n".join(MMA52.actions))
    config = config_of(data, tmp_path / "run", epochs=1)
    config = replace(config, data=replace(config.data, labels=str(tmp_path / "labels.txt")))
    detection.train_detector(config)
    (tmp_path / "labels.txt").write_text("\n".join([*MMA52.actions[:50], MMA52.actions[51], MMA52.actions[50]]))
    with pytest.raises(InputError, match=r"last\.pt: was trained with other names of data\.labels"):
        detection.train_detector(config)


def test_a_last_checkpoint_that_knows_nothing_of_its_data_goes_on(data, tmp_path, capsys):
    """As none did before it was kept."""
    config = config_of(data, tmp_path / "run", epochs=1)
    detection.train_detector(config)
    content = read_checkpoint(tmp_path / "run" / "last.pt")
    del content["data"]
    torch.save(content, tmp_path / "run" / "last.pt")
    detection.train_detector(config)
    assert "last.pt does not say on what data it was trained" in capsys.readouterr().err


# --- losses that go wrong ---------------------------------------------------------------------------------------


@contextmanager
def nan_from(monkeypatch, number: int):
    """Within it, the losses are NaN from the `number`-th computation on, without harm to the weights. Yields a list
    that has an item for each computation."""
    original, calls = detection.detector_losses, []

    def wrapped(model, batch, config):
        calls.append(None)
        losses = original(model, batch, config)
        return losses | {"more": torch.tensor(torch.nan if len(calls) >= number else 0.0)}

    with monkeypatch.context() as patch:
        patch.setattr(detection, "detector_losses", wrapped)
        yield calls


def test_a_loss_of_nan_ends_the_run_at_the_next_check(data, tmp_path, monkeypatch):
    """Six batches an epoch, looked at after the second, the fourth and the sixth: in the second epoch's third it
    appears. What the first left stands."""
    config = config_of(data, tmp_path / "run", batch=1)
    monkeypatch.setattr(train, "CHECKED_EVERY", 2)
    with nan_from(monkeypatch, 6 + 3) as calls, pytest.raises(Diverged, match=r"NaN or infinite by epoch 2, step 4; "):
        detection.train_detector(config)
    assert len(calls) == 6 + 4
    assert [row["epoch"] for row in rows_of(tmp_path / "run")] == [1]
    content = read_checkpoint(tmp_path / "run" / "last.pt")
    assert len(json.loads(content["history"])) == 1
    assert all(value.isfinite().all() for value in content["model"].values())


def test_a_run_that_diverges_at_once_leaves_no_checkpoint(data, tmp_path, monkeypatch):
    def broken(model, batch, config):
        return {"classify": sum(p.sum() for p in model.parameters()) * torch.nan}

    monkeypatch.setattr(detection, "detector_losses", broken)
    with pytest.raises(Diverged, match=r"loss or weights became NaN or infinite by epoch 1, step 3; .*lower train\.lr"):
        detection.train_detector(config_of(data, tmp_path / "run"))
    assert not (tmp_path / "run" / "last.pt").exists()


def test_the_command_says_in_one_line_that_training_diverged(data, tmp_path, monkeypatch, capsys):
    config = config_of(data, tmp_path / "run")
    with nan_from(monkeypatch, 1), pytest.raises(SystemExit) as left:
        run_command(lambda: detection.train_detector(config) and 0)
    assert left.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: training: loss or weights became NaN") and said.count("\n") == 1


def test_the_loss_falls(data, tmp_path):
    detection.train_detector(config_of(data, tmp_path / "run", epochs=20, lr=0.01, ema=0.0))
    losses = [row["loss"] for row in rows_of(tmp_path / "run")]
    assert losses[-1] < 0.7 * losses[0]


# --- what moves the weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch, rate", [(0, 0.001), (0.5, 0.501), (1, 1), (2, 0.8536), (3, 0.5), (5, 0), (7, 0)])
def test_cosine_with_warm_up(epoch, rate):
    """One epoch of warm-up, four from 1 to 0: half way 0.5, a quarter of the way (1 + cos 45 degrees) / 2."""
    config = TrainConfig(lr=1.0, epochs=5, warmup_epochs=1.0)
    assert learning_rate(config, epoch) == pytest.approx(rate, abs=1e-4)


def test_cosine_without_warm_up():
    assert learning_rate(TrainConfig(lr=2.0, epochs=4, warmup_epochs=0), 0) == 2
    assert learning_rate(TrainConfig(lr=2.0, epochs=1, warmup_epochs=1), 1) == 2


@pytest.mark.parametrize("epoch, rate", [(0, 1), (29.9, 1), (30, 0.1), (59.9, 0.1), (60, 0.01), (79, 0.01)])
def test_steps(epoch, rate):
    assert learning_rate(TrainConfig(lr=1.0, schedule="step"), epoch) == pytest.approx(rate)


def test_weight_decay_spares_vectors():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Conv1d(4, 2, 3))
    decayed, plain = make_optimizer(model, TrainConfig(weight_decay=0.3)).param_groups
    assert [p.shape for p in decayed["params"]] == [(4, 3), (2, 4, 3)] and decayed["weight_decay"] == 0.3
    assert [p.shape for p in plain["params"]] == [(4,), (4,), (4,), (2,)] and plain["weight_decay"] == 0


def test_averaged_weights():
    """Decay min(0.5, (1 + n) / (10 + n)): 2/11, 3/12, ... until it is the one asked for."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = AveragedWeights(model, decay=0.25)
    nn.init.ones_(model.weight)
    average.update(model)
    assert average.model.weight.item() == pytest.approx(1 - 2 / 11)
    average.update(model)
    assert average.model.weight.item() == pytest.approx(1 - 2 / 11 * 3 / 12)
    average.update(model)  # (1 + 3) / (10 + 3) is more than 0.25
    assert average.model.weight.item() == pytest.approx(1 - 2 / 11 * 3 / 12 * 0.25)
    assert model.weight.item() == 1


def test_averaged_weights_copy_whole_numbers():
    model = nn.BatchNorm1d(2)
    average = AveragedWeights(model, decay=0.9)
    model(torch.rand(4, 2))
    average.update(model)
    assert average.model.num_batches_tracked.item() == 1
    assert not average.model.training and not average.model.weight.requires_grad


def test_nan_in_a_validation_video_is_refused_before_training(data, tmp_path):
    """Not after the epochs before the first evaluation; corrected, the same command then begins."""
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    values = np.load(folder / "features" / "v7.npy")
    np.save(folder / "features" / "v7.npy", np.where(np.arange(len(values))[:, None] == 5, np.nan, values))
    config = config_of(folder, tmp_path / "run", evaluate_every=3)
    with pytest.raises(InputError, match=r"v7\.npy, row 5, channel 0 .*the value is nan"):
        detection.train_detector(config)
    assert not (tmp_path / "run" / "last.pt").exists()
    np.save(folder / "features" / "v7.npy", values)
    assert detection.train_detector(config)["epoch"] == 3
