"""`mmad detect-archive` on a Ray of this machine: the results of `mmad detect`, from and to an S3 server, and again
after processes were lost."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made_estimator import DEADLY, KILLS, NAME, MadeEstimator, plan, planned
from made_videos import cut_off, write_video

from mmad.cli.commands import detect_archive
from mmad.cli.detect_videos import detect_people, detect_videos
from mmad.config import (
    BackboneConfig,
    DetectionConfig,
    DetectorConfig,
    ExtractConfig,
    InferConfig,
    PoseConfig,
    RecognitionConfig,
    to_dict,
)
from mmad.engine.checkpoint import load_recognizer
from mmad.engine.feature_extractor import FeatureExtractor
from mmad.engine.infer import load_pipeline
from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.models import build_backbone, build_detector
from mmad.models.manet import Recognizer
from mmad.pose.estimators import ESTIMATORS
from mmad.video.finding import find_videos
from mmad.weight_files import save_checkpoint

TESTS = Path(__file__).parents[1]
SECRET = "a-secret-that-nobody-may-see"


@pytest.fixture(scope="module")
def ray(request, tmp_path_factory):
    """A session of Ray whose processes know the estimator of tests, and the way to the server in `bucket`."""
    if importlib.util.find_spec("moto") and importlib.util.find_spec("s3fs"):
        request.getfixturevalue("server")  # first: processes have the environment that Ray was started in
    ray = pytest.importorskip("ray", reason='needs Ray: pip install "mmad[ray]"')
    pytest.importorskip("ray.data", reason='needs Ray Data: pip install "mmad[ray]"')
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        patch.setenv(KILLS, str(tmp_path_factory.mktemp("kills")))
        hook = {"worker_process_setup_hook": "made_estimator.register"}
        options = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
        ray.init(num_cpus=2, object_store_memory=150 * 2**20, runtime_env=hook, **options)
        yield ray
        ray.shutdown()


@pytest.fixture(autouse=True)
def estimator(monkeypatch):
    monkeypatch.setitem(ESTIMATORS, NAME, MadeEstimator)


@pytest.fixture(scope="module")
def server():
    """Where an S3 server of moto answers."""
    why = "needs moto's S3 server and s3fs: pip install 'mmad[ray,ray-test]'"
    pytest.importorskip("s3fs", reason=why)
    moto = pytest.importorskip("moto.server", reason=why)
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield server
    server.stop()


@pytest.fixture
def bucket(server):
    import fsspec

    store = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
    store.mkdir("archive")
    yield store
    store.rm("archive", recursive=True)


@pytest.fixture
def videos(tmp_path) -> Path:
    """A folder with two sound videos, one that is cut off, and one that is none."""
    folder = tmp_path / "videos"
    (folder / "day=1").mkdir(parents=True)
    write_video(folder / "day=1" / "cam.mp4", 50)
    write_video(folder / "b.mp4", 30)
    cut_off(folder / "c.mp4", write_video(tmp_path / "whole.mp4", 40, between=0), 10)
    (folder / "none.mp4").write_bytes(b"no video")
    return folder


def run(*typed) -> int:
    return detect_archive.main([*map(str, typed), "--device", "cpu"])


def results(text: str) -> dict:
    return json.loads(text)["results"]


def by_detect(videos: Path, out: Path, pipeline=None) -> tuple[dict, list[str]]:
    """({video: results}, problems) of the code of `mmad detect`."""
    found = find_videos([str(videos)])
    if pipeline is not None:
        problems = detect_videos(pipeline, found, out)[2]
    else:
        problems = detect_people(load_pipeline(device="cpu", pose=PoseConfig(NAME)), found, [], out)[2]
    return results((out / "predictions.json").read_text()), problems


def written(out: Path) -> dict:
    """{video: results} of all folders, each video once."""
    found = [results(path.read_text()) for path in sorted(out.rglob("predictions.json"))]
    together = {name: rows for item in found for name, rows in item.items()}
    assert len(together) == sum(map(len, found))
    return together


def states(out: Path) -> dict[str, int]:
    """{folder: time of the last file}: changes when a video is done again."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.rglob("finished.json")}


def upload(store, folder: Path) -> None:
    for path in folder.rglob("*.mp4"):
        store.put_file(str(path), f"archive/videos/{path.relative_to(folder).as_posix()}")


# --- by joints --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_from_a_store_to_a_store_and_again(server, ray, bucket, videos, tmp_path, capfd):
    """The results of `mmad detect`; bad videos cost one line each; what is finished is not done again."""
    plain, problems = by_detect(videos, tmp_path / "plain")
    upload(bucket, videos)
    typed = ("s3://archive/videos", "--out", "s3://archive/out", "--tracks", "--workers", "1", f"estimator={NAME}")
    capfd.readouterr()
    assert run(*typed) == 2
    said = capfd.readouterr()
    cut, none = sorted(line for line in said.err.splitlines() if line.startswith("error: "))
    assert cut.startswith("error: s3://archive/videos/c.mp4: broken or cut off: 10 of 40 frames could be read")
    assert none.startswith("error: s3://archive/videos/none.mp4: not a readable video")
    assert sorted(line.split(": ", 1)[1] for line in problems) == [line.split(": ", 2)[2] for line in (cut, none)]
    assert "3 of 4 videos have results in s3://archive/out" in said.out
    files = {path.removeprefix("archive/out/") for path in bucket.find("archive/out")}
    names = ("finished.json", "landmarks/{}.json", "landmarks/{}.npz", "predictions.csv", "predictions.json")
    # As of the sources, ids are places below the source: `mmad detect` names videos apart only where it must.
    expected = {"day=1/cam": "cam", "b": "b", "c": "c"}
    assert files == {f"{name}/{file.format(name)}" for name in expected for file in names}
    for name, plain_name in expected.items():
        found = results(bucket.cat_file(f"archive/out/{name}/predictions.json"))
        assert found == {name: plain[plain_name]} and len(found[name]) > 0
        track = bucket.cat_file(f"archive/out/{name}/landmarks/{name}.npz")
        assert track == (tmp_path / "plain" / "landmarks" / f"{plain_name}.npz").read_bytes()
    everything = (
        said.out + said.err + "".join(bucket.cat_file(path).decode("latin-1") for path in bucket.find("archive"))
    )
    assert SECRET not in everything and "somebody" not in everything

    when = {path: info["LastModified"] for path, info in bucket.find("archive/out", detail=True).items()}
    write_video(videos / "b.mp4", 35, first=1)
    bucket.put_file(str(videos / "b.mp4"), "archive/videos/b.mp4")
    bucket.rm_file("archive/videos/none.mp4")
    bucket.put_file(str(videos / "b.mp4"), "archive/videos/new.mp4")
    assert run(*typed) == 2
    said = capfd.readouterr()
    assert "2 of 4 videos are done already" in said.out and "4 of 4 videos have results" in said.out
    assert "s3://archive/videos/b.mp4: is another file than the one its results were made from" in said.err
    assert [line for line in said.err.splitlines() if line.startswith("error")] == [cut]  # told again
    now = {path: info["LastModified"] for path, info in bucket.find("archive/out", detail=True).items()}
    assert {path.split("/")[2] for path in now if now[path] != when.get(path)} == {"b", "new"}
    for name in ("b", "new"):
        (rows,) = results(bucket.cat_file(f"archive/out/{name}/predictions.json")).values()
        assert rows == by_detect(videos / "b.mp4", tmp_path / name)[0]["b"] != plain["b"]
    with pytest.raises(
        InputError, match=r"s3://archive/out/.*/finished\.json: was made with other weights or settings"
    ):
        run(*typed, "fps=10")
    broken = tmp_path / "broken.safetensors"  # it is loaded where it is needed, in another process
    broken.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"broken\.safetensors: is not a pose model"):
        run(videos, "--out", tmp_path / "other", "--detector", broken, f"estimator={NAME}")
    assert not list(Path(os.environ[KILLS]).glob("mmad-*"))  # no copy is left


@pytest.mark.slow
def test_a_lost_process_costs_no_video(ray, tmp_path, capsys):
    """It is lost in the middle of a video, which is done again; so is each other one once, as `mmad detect` does it."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(6):
        write_video(folder / f"v{number}.mp4", 40, first=60 if number == 2 else 100)  # the third comes to DEADLY
    assert 60 < DEADLY < 100
    plain, _ = by_detect(folder, tmp_path / "plain")
    plan("estimator", 1)
    assert run(folder, "--out", tmp_path / "out", f"estimator={NAME}") == 0
    assert not planned("estimator")
    assert "6 of 6 videos have results" in capsys.readouterr().out
    assert written(tmp_path / "out") == plain and len(plain) == 6

    plan("estimator", 99)  # with this video every process is lost
    assert run(folder, "--out", tmp_path / "other", f"estimator={NAME}") == 2
    said = capsys.readouterr()
    assert "5 of 6 videos have results" in said.out
    assert "v2.mp4: its process, or one beside it, was lost 3 times" in said.err
    before = states(tmp_path / "other")
    plan("estimator", 0)
    assert run(folder, "--out", tmp_path / "other", f"estimator={NAME}") == 0
    after = states(tmp_path / "other")
    assert {name for name in after if after[name] != before.get(name)} == {"v2"}
    assert written(tmp_path / "other") == plain


# --- by pixels --------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path) -> list:
    """A recognizer and a detector on its features, of random weights, as options."""
    torch.manual_seed(0)
    backbone = BackboneConfig("manet_r18", resize=36, crop=32)
    config = RecognitionConfig(backbone=backbone)
    save_checkpoint(
        *(tmp_path / "rec.pt", "recognizer", to_dict(config), MMA52),
        Recognizer(build_backbone(backbone), len(MMA52)),
    )
    recognizer = load_recognizer(tmp_path / "rec.pt")
    extractor = FeatureExtractor(ExtractConfig(device="cpu"), str(tmp_path / "rec.pt"))
    settings = DetectorConfig(width=8, dilations=[1])
    channels = recognizer.backbone.channels
    features = {"channels": channels, "step": 4 / 30, "source": extractor.source, "settings": extractor.settings}
    config = to_dict(DetectionConfig(detector=settings, infer=InferConfig(candidates=50)))
    model = build_detector(settings, channels, MMA52)
    model.count.fill_(9)  # each class counts as trained
    for weight, _ in map(model.probe.weight_and_bias, model.probe.views):
        weight.normal_()
    save_checkpoint(tmp_path / "det.pt", "detector", config, MMA52, model, features=features)
    return ["--detector", tmp_path / "det.pt", "--recognizer", tmp_path / "rec.pt"]


@pytest.mark.slow
def test_pixels_and_lost_readers_and_networks(ray, own, videos, tmp_path, capsys):
    """A reader is lost between its frames, a network behind its first video, and one fails: the same in the end."""
    for number in range(4):
        write_video(videos / f"long{number}.mp4", 250, first=number)  # more steps than one packet at stride 1
    pipeline = load_pipeline(own[1], own[3], "cpu")
    plain, problems = by_detect(videos, tmp_path / "plain", pipeline)
    plain["day=1/cam"] = plain.pop("cam")
    assert len(plain) == 7 and all(plain.values())
    for lost in ("nothing", "reader", "network", "defect"):
        out = tmp_path / lost
        plan(lost, 1)
        assert run(videos, "--out", out, *own, "--tracks") == 2
        said = capsys.readouterr()
        assert len(planned(lost)) == (lost == "nothing")
        assert sorted(line for line in said.err.splitlines() if line.startswith("error")) == sorted(
            f"error: {problem}" for problem in problems
        )
        assert "7 of 8 videos have results" in said.out
        found = written(out)
        assert set(found) == set(plain)
        for name in plain:
            alike(found[name], plain[name])
        for name in ("b", "long3"):
            made, expected = (
                np.load(folder / "features" / f"{name}.npy") for folder in (out / name, tmp_path / "plain")
            )
            np.testing.assert_allclose(made, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_a_deadly_video_costs_no_other_by_pixels(ray, own, tmp_path, capsys):
    """Two videos go to a network together; where it is lost with them, one at a time."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(8):
        write_video(folder / f"v{number}.mp4", 60 if number == 3 else 30, first=number)
    plan("network at v3", 99)  # the largest, so the first of those that go together
    try:
        assert run(folder, "--out", tmp_path / "out", *own) == 2
    finally:
        plan("network at v3", 0)
    said = capsys.readouterr()
    assert "7 of 8 videos have results" in said.out
    (line,) = [line for line in said.err.splitlines() if line.startswith("error")]
    assert "v3.mp4: its process, or one beside it, was lost 3 times" in line
    assert set(written(tmp_path / "out")) == {f"v{number}" for number in range(8)} - {"v3"}


def alike(some: list[dict], others: list[dict]) -> None:
    """The same detections but for rounding: which frames of other videos are in a batch is by chance."""
    assert len(some) == len(others) > 0
    assert sorted(row["label"] for row in some) == sorted(row["label"] for row in others)
    for of_row in (lambda row: row["score"], lambda row: row["segment"][0], lambda row: row["segment"][1]):
        np.testing.assert_allclose(sorted(map(of_row, some)), sorted(map(of_row, others)), atol=2e-4)


# --- what is typed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--device", "cuda:1"], r"device: 'cuda:1'; choose auto, cpu or cuda"),
        (["--workers", "-1"], r"--workers: -1"),
        (["absent"], r"absent: no such file or folder"),
        (["--detector", "absent.safetensors"], r"absent\.safetensors: No such file"),
        (["--recognizer", "rec.pt"], r"rec\.pt: is not needed by joints"),
        (["s3://me:secret@bucket/videos"], r"s3://\.\.\.@bucket/videos: holds a password"),
        (["--out", " "], r"--out: is empty"),
    ],
)
def test_bad_input_is_one_line(tmp_path, typed, said):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=said):
        detect_archive.main([str(tmp_path), "--out", str(tmp_path / "out"), f"estimator={NAME}", *typed])


def test_without_ray_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r'ray: is not installed; type: pip install "mmad\[ray\]"'):
        detect_archive.main([str(tmp_path), "--out", str(tmp_path / "out"), f"estimator={NAME}"])
