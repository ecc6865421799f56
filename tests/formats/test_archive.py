import json
import os
from pathlib import Path

import numpy as np
import pytest

from mmad.cli.commands import index as index_command
from mmad.errors import InputError
from mmad.formats.archive import Query, ask, find_predictions, read_sources, update_index
from mmad.formats.predictions import write_predictions
from mmad.labels import MMA52, LabelSet
from mmad.records import Detections

pyarrow = pytest.importorskip("pyarrow", reason='the index needs pyarrow: pip install "mmad[archive]"')
parquet = pytest.importorskip("pyarrow.parquet")

NOD, SHAKE, WAVE = 9, 10, 19


def write(folder: Path, name: str, *videos: Detections, labels: LabelSet = MMA52) -> Path:
    path = folder / name / "predictions.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_predictions(path, videos, labels)
    return path


@pytest.fixture
def archive(tmp_path) -> Path:
    """Two folders as `mmad detect` leaves them."""
    cam = Detections("cam", [[70, 72], [4, 5], [4, 9]], [NOD, NOD, WAVE], [0.9, 0.8, 0.3])
    write(tmp_path, "day2", cam, Detections("b", [[0, 3]], [SHAKE], [0.5]), Detections("empty", [], [], []))
    write(tmp_path, "day1", Detections("a", [[1, 2.5], [8, 8.4]], [NOD, NOD], [0.25, 0.75]))
    return tmp_path


@pytest.fixture
def index(archive) -> Path:
    update_index(archive / "index.parquet", [archive])
    return archive / "index.parquet"


def times(hits) -> list[tuple]:
    return [(row["video"], row["start"], row["end"], row["score"]) for row in hits.rows()]


# --- making -----------------------------------------------------------------------------------------------------


def test_rows_are_texts_and_numbers_for_anybody(index):
    """As pandas and DuckDB read it, without mmad."""
    rows = parquet.read_table(index).to_pylist()
    assert len(rows) == 6
    expected = {"video": "a", "action": "nodding", "part": "head", "start": 1.0, "end": 2.5, "score": 0.25}
    assert rows[0] == {**expected, "source": "day1/predictions.json"}
    assert [(row["video"], row["start"]) for row in rows] == [
        *(("a", 1), ("a", 8), ("b", 0), ("cam", 4), ("cam", 4), ("cam", 70))
    ]


def test_sources_remember_what_was_read(index):
    assert [(item.path, item.videos, item.rows) for item in read_sources(index)] == [
        ("day1/predictions.json", 1, 2),
        ("day2/predictions.json", 3, 4),
    ]


def test_only_what_changed_is_read_again(archive, index):
    before = index.stat().st_mtime_ns
    update = update_index(index, [archive])
    assert (update.read, update.kept, update.dropped, update.rows, update.videos) == (0, 2, 0, 6, 4)
    assert index.stat().st_mtime_ns == before, "nothing is written where nothing changed"
    write(archive, "day2", Detections("b", [[0, 3], [5, 6]], [SHAKE, WAVE], [0.5, 0.4]))
    update = update_index(index, [archive])
    assert (update.read, update.kept, update.rows, update.videos) == (1, 1, 4, 2)
    assert times(ask(index, Query()).by_time()) == [
        *(("a", 1, 2.5, 0.25), ("a", 8, 8.4, 0.75), ("b", 0, 3, 0.5), ("b", 5, 6, 0.4))
    ]


def test_a_file_of_another_time_is_read_again(archive, index):
    """Of the same size, written later."""
    path = archive / "day1" / "predictions.json"
    path.write_text(path.read_text().replace("0.75", "0.65"))
    os.utime(path, ns=(0, 12345))
    assert update_index(index, [archive]).read == 1
    assert 0.65 in ask(index, Query()).numbers["score"]


def test_files_that_are_not_named_stay_and_those_that_are_gone_leave(archive, index):
    new = write(archive, "day3", Detections("c", [[0, 1]], [WAVE], [1.0]))
    assert update_index(index, [new]).rows == 7
    (archive / "day1" / "predictions.json").unlink()
    assert update_index(index, [new]).rows == 7, "its folder was not named"
    update = update_index(index, [archive])
    assert (update.dropped, update.rows) == (1, 5)


def test_low_scores_are_left_out_on_request_and_come_back(archive):
    index = archive / "index.parquet"
    assert update_index(index, [archive], min_score=0.5).rows == 4
    assert update_index(index, [archive], min_score=0.5).read == 0
    assert update_index(index, [archive]).rows == 6, "another least score: read again"


def test_an_index_moves_with_its_folder(archive, index):
    moved = archive.rename(archive.with_name("moved"))
    assert update_index(moved / "index.parquet", [moved]).read == 0


def test_a_broken_file_is_told_and_the_others_are_read(archive, index, capsys):
    (archive / "day1" / "predictions.json").write_text("{")
    write(archive, "day2", Detections("b", [[0, 3]], [SHAKE], [0.5]))
    assert index_command.main([str(archive), "--out", str(index)]) == 2
    said = capsys.readouterr()
    assert "day1/predictions.json, line 1, column 2: not JSON" in said.err
    assert "1 files read, 0 unchanged, 0 gone" in said.out
    assert [row["video"] for row in ask(index, Query()).by_time().rows()] == ["a", "a", "b"], "what was known stays"


def test_nothing_is_left_where_nothing_can_be_read(tmp_path):
    (tmp_path / "predictions.json").write_text("{")
    with pytest.raises(InputError, match="nothing could be read"):
        update_index(tmp_path / "index.parquet", [tmp_path])
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.json"]


def test_videos_of_one_name_in_two_files_are_told_apart(archive, index, capsys):
    write(archive, "day3", Detections("a", [[0, 1]], [WAVE], [1.0]))
    write(archive, "day4", Detections("a", [[0, 1]], [WAVE], [0.9]))
    index_command.main([str(archive), "--out", str(index)])
    assert "1 videos are in several files, such as a" in capsys.readouterr().err
    sources = [row["source"] for row in ask(index, Query(videos=("a",))).by_score().rows()]
    assert sources == [f"day{day}/predictions.json" for day in (3, 4, 1, 1)]


def test_label_sets_lie_side_by_side(archive, index):
    own = LabelSet("own", ("winking", "nodding"), ("eye", "all of it"), (0, 1))
    write(archive, "day3", Detections("c", [[0, 1], [1, 2]], [0, 1], [0.6, 0.7]), labels=own)
    update_index(index, [archive])
    rows = ask(index, Query(actions=("winking", "nodding"), videos=("c",))).by_time().rows()
    assert [(row["action"], row["part"]) for row in rows] == [("winking", "eye"), ("nodding", "all of it")]


def test_another_label_file_of_the_same_name_is_noticed(tmp_path):
    """Of a file that numbers its labels."""
    items = [{"segment": [0, 1], "label": 0, "score": 0.5}]
    (tmp_path / "predictions.json").write_text(json.dumps({"results": {"v": items}}))
    index = tmp_path / "index.parquet"
    for action, read in (("winking", 1), ("winking", 0), ("blinking", 1)):
        update = update_index(index, [tmp_path], LabelSet("own", (action,), ("eye",), (0,)))
        assert (update.read, next(ask(index, Query()).rows())["action"]) == (read, action)


def test_several_groups_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("mmad.formats.archive.ROWS_AT_ONCE", 100)
    made, index = np.random.default_rng(0), tmp_path / "index.parquet"
    for day in range(5):
        starts = made.uniform(0, 100, 70)
        found = Detections(
            f"v{day}", np.column_stack([starts, starts + 1]), made.integers(0, 52, 70), made.uniform(size=70)
        )
        write(tmp_path, f"day{day}", found)
    update_index(index, [tmp_path])
    assert parquet.ParquetFile(index).num_row_groups > 2
    hits = ask(index, Query(score=0.5))
    assert hits.total == 350 and 0 < len(hits) < 350
    ordered = times(hits.by_time())
    assert ordered == sorted(ordered)
    scores = hits.by_score().numbers["score"].tolist()
    assert scores == sorted(scores, reverse=True)
    everything = parquet.read_table(index).to_pylist()
    assert len(hits) == sum(row["score"] >= 0.5 for row in everything)


def test_folders_and_files_are_found_once(archive):
    paths = [archive, archive / "day1" / "predictions.json"]
    assert find_predictions(paths) == [archive / "day1" / "predictions.json", archive / "day2" / "predictions.json"]
    (archive / "nothing").mkdir()
    with pytest.raises(InputError, match=r"no predictions\.json in it"):
        find_predictions([archive / "nothing"])
    with pytest.raises(InputError, match="is not there"):
        find_predictions([archive / "day9"])


# --- asking -----------------------------------------------------------------------------------------------------


ASKED = [
    ({"actions": ("nodding",), "longer": 1}, [("a", 1), ("cam", 70)]),  # 1.5 s and 2 s; those of 1 s and .4 s are not
    ({"actions": ("Nodding ",), "shorter": 1}, [("a", 8)]),
    ({"actions": ("nod*", "waving")}, [("a", 1), ("a", 8), ("cam", 4), ("cam", 4), ("cam", 70)]),
    ({"parts": ("HEAD",), "score": 0.5}, [("a", 8), ("b", 0), ("cam", 4), ("cam", 70)]),
    ({"videos": ("c?m",), "score": 0.8}, [("cam", 4), ("cam", 70)]),
    ({"videos": ("a", "b"), "actions": ("shaking head",)}, [("b", 0)]),
    ({"longer": 100}, []),
]


@pytest.mark.parametrize(("conditions", "expected"), ASKED)
def test_what_is_asked_for_is_found(index, conditions, expected):
    hits = ask(index, Query(**conditions))
    assert [row[:2] for row in times(hits.by_time())] == expected and hits.total == 6


def test_by_score_and_by_action(index):
    hits = ask(index, Query())
    assert [row[3] for row in times(hits.by_score())] == [0.9, 0.8, 0.75, 0.5, 0.3, 0.25]
    assert [row[3] for row in times(hits.by_score().first(2))] == [0.9, 0.8]
    # seconds: 1.5 + .4 + 1 + 2; the median of .25, .75, .8, .9
    nods, *others = hits.by_action()
    assert nods == ("nodding", 4, 2, pytest.approx(4.9), pytest.approx(0.775))
    assert [row[:3] for row in others] == [("shaking head", 1, 1), ("waving", 1, 1)]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"actions": ("noding",)}, "--action: no action 'noding' in .*; did you mean 'nodding'?"),
        ({"parts": ("legs",)}, "--part: no part 'legs' in .*; for example 'body'"),
        ({"videos": ("z*",)}, r"--video: no video 'z\*' in .*; for example 'a'"),
    ],
)
def test_a_name_of_nothing_is_refused(index, conditions, said):
    with pytest.raises(InputError, match=said):
        ask(index, Query(**conditions))


# --- files of others --------------------------------------------------------------------------------------------


def test_other_files_are_refused_in_one_line(archive, index):
    (archive / "text.parquet").write_text("video,action\n")
    parquet.write_table(pyarrow.table({"video": ["a"]}), archive / "other.parquet")
    whole = parquet.read_table(index)
    parquet.write_table(whole.replace_schema_metadata({}), archive / "unsaid.parquet")
    nulls = whole.set_column(0, "video", pyarrow.array([None, *"abcde"]))
    parquet.write_table(nulls, archive / "nulls.parquet")
    for name, said in (
        ("none.parquet", "is not there; mmad index"),
        ("text.parquet", "not a Parquet file"),
        ("other.parquet", "has no column 'action'"),
        ("nulls.parquet", "a row has none"),
    ):
        with pytest.raises(InputError, match=said):
            ask(archive / name, Query())
    assert len(ask(archive / "unsaid.parquet", Query())) == 6, "anybody's table of these columns is asked"
    for name in ("text", "other", "unsaid"):
        with pytest.raises(InputError, match=rf"{name}\.parquet"):
            update_index(archive / f"{name}.parquet", [archive])
    cut = index.read_bytes()
    (archive / "cut.parquet").write_bytes(cut[: len(cut) // 2])
    with pytest.raises(InputError, match="not a Parquet file"):
        ask(archive / "cut.parquet", Query())


def test_a_file_that_names_files_elsewhere_is_only_read_of_what_is_in_it(archive, index):
    """Sources are names: nothing is opened or removed by them."""
    with parquet.ParquetFile(index) as file:
        about = json.loads(file.metadata.metadata[b"mmad"])
    about[0]["path"] = "../../etc/passwd"
    changed = parquet.read_table(index).replace_schema_metadata({b"mmad": json.dumps(about)})
    parquet.write_table(changed, archive / "changed.parquet")
    assert update_index(archive / "changed.parquet", [archive]).rows == 6 - 2 + 2
