"""An index over the predictions of many videos: one Parquet file that DuckDB, pandas and `mmad query` read.

One row per detection, in the columns of `COLUMNS`: `video`, `action` and `part` (body part) are texts, `start` and
`end` s since the first shown frame, `score` 0..1, `source` the predictions file it was read from, relative to the
index. The file remembers the size and time of each source, so that only what changed is read again.

To make it takes the memory of one predictions file and a group of rows. To ask it takes that of a group of rows and of
what was found.
"""

import fnmatch
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmad.errors import InputError
from mmad.files import atomic_path, spelling
from mmad.formats import read_predictions
from mmad.formats.predictions import PredictionFile
from mmad.labels import LabelSet
from mmad.records import content_digest

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

TEXTS, NUMBERS = ("video", "action", "part", "source"), ("start", "end", "score")
COLUMNS = ("video", "action", "part", "start", "end", "score", "source")
PREDICTIONS_NAME = "predictions.json"  # what `mmad detect` leaves in its folder
ABOUT = b"mmad"  # the key of what the file says of its sources
ROWS_AT_ONCE = 2**17  # of a row group: some 6 MB


# --- sources ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IndexedFile:
    """A predictions file as it was when it was read. path: relative to the index. modified: ns, as the disk says.

    min_score: detections below it were left out. labels: a digest of the label set that was asked for, "" for the
    file's own.
    """

    path: str
    size: int
    modified: int
    min_score: float
    labels: str
    videos: int = 0
    rows: int = 0

    def same_file(self, other: "IndexedFile") -> bool:
        """Whether nothing of it has to be read again."""
        return (self.path, self.size, self.modified, self.min_score, self.labels) == (
            *(other.path, other.size, other.modified, other.min_score, other.labels),
        )


@dataclass
class IndexUpdate:
    """What `update_index` did: how many files it read, took over unread, and dropped; rows of the index now.

    repeated: ids of videos that several of the files read now hold. problems: files that could not be read, one line
    each.
    """

    read: int = 0
    kept: int = 0
    dropped: int = 0
    rows: int = 0
    videos: int = 0
    repeated: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find_predictions(paths: Sequence[str | Path]) -> list[Path]:
    """The predictions files among `paths` and, of folders, all files called predictions.json in and below them."""
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(path.rglob(PREDICTIONS_NAME))
            if not inside:
                raise InputError(path, f"no {PREDICTIONS_NAME} in it", "name what `mmad detect --out DIR` wrote into")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(path, "is not there", "name predictions, or a folder with some")
    return list(dict.fromkeys(found))


def update_index(
    index: str | Path, paths: Sequence[str | Path], labels: LabelSet | None = None, min_score: float = 0.0
) -> IndexUpdate:
    """Make an index of the predictions in `paths`, or bring one up to date.

    Files in the index that `paths` does not name stay in it, unless they are gone from a folder that it names. A file
    that cannot be read is told in `problems`, and what was known of it stays. labels: of files that carry none.
    """
    index = Path(index)
    known = {item.path: item for item in (read_sources(index) if index.exists() else [])}
    wanted = [_as_on_disk(path, index, labels, min_score) for path in find_predictions(paths)]
    unchanged = {item.path for item in wanted if item.path in known and known[item.path].same_file(item)}
    gone = {name for name in known if _was_below(name, index, paths) and not (index.parent / name).exists()}
    update = IndexUpdate(kept=len(unchanged), dropped=len(gone))
    fresh = {item.path: item for item in wanted if item.path not in unchanged}
    if not fresh and not gone:
        with _open(index) as file:
            update.rows = file.metadata.num_rows
        update.videos = sum(item.videos for item in known.values())
        return update
    _rewrite(index, known, fresh, gone, labels, update)
    return update


def _rewrite(index: Path, known: dict, fresh: dict, gone: set[str], labels: LabelSet | None, update: IndexUpdate):
    """known, fresh: {path relative to the index: `IndexedFile`}, of the index as it is and to be read."""
    now: dict[str, IndexedFile] = {}
    seen: dict[str, str] = {}
    repeated: set[str] = set()
    with atomic_path(index) as temporary, _IndexWriter(temporary) as writer:
        for name, item in fresh.items():
            try:
                file = read_predictions(index.parent / name, labels)
            except (InputError, OSError) as error:
                update.problems.append(str(error))
                continue
            rows = writer.add_predictions(file, name, item.min_score)
            ids = {one.video_id for one in file.detections}
            repeated |= {video for video in ids if seen.setdefault(video, name) != name}
            now[name] = IndexedFile(**{**asdict(item), "videos": len(ids), "rows": rows})
            update.read += 1
        kept = {name: item for name, item in known.items() if name not in now and name not in gone}
        if kept:
            for batch in _batches(index):
                writer.add_rows(_of_sources(batch, kept))
        now = {**kept, **now}
        if not now:
            raise InputError(index, "nothing could be read for it", "; ".join(update.problems))
        writer.finish(list(now.values()))
    update.repeated = sorted(repeated)
    update.rows = writer.rows
    update.videos = sum(item.videos for item in now.values())


def _as_on_disk(path: Path, index: Path, labels: LabelSet | None, min_score: float) -> IndexedFile:
    status = path.stat()
    try:
        name = Path(os.path.relpath(path.resolve(), index.parent.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        name = path.resolve().as_posix()
    return IndexedFile(name, status.st_size, status.st_mtime_ns, min_score, _digest(labels))


def _digest(labels: LabelSet | None) -> str:
    """Changes when a label file says something else; "" without one."""
    return content_digest([json.dumps(labels.as_dict())]) if labels else ""


def _was_below(name: str, index: Path, paths: Sequence[str | Path]) -> bool:
    """Whether a file of the index, relative to it, lies in one of the folders among `paths`."""
    path = Path(os.path.normpath(index.parent.resolve() / name))
    return any(path.is_relative_to(Path(folder).resolve()) for folder in paths if Path(folder).is_dir())


# --- the file ---------------------------------------------------------------------------------------------------


def _pyarrow() -> "pyarrow":
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError("pyarrow", "is not installed", 'type: pip install "mmad[archive]"') from None
    return pyarrow


class _IndexWriter:
    """Writes an index, a group of rows at a time."""

    def __init__(self, path: Path):
        self.pyarrow = _pyarrow()
        text = self.pyarrow.dictionary(self.pyarrow.int32(), self.pyarrow.string())
        kinds = {name: text if name in TEXTS else self.pyarrow.float64() for name in COLUMNS}
        self.schema = self.pyarrow.schema([(name, kinds[name]) for name in COLUMNS])
        self.file = self.pyarrow.parquet.ParquetWriter(path, self.schema, compression="zstd")
        self.waiting: list[pyarrow.Table] = []
        self.rows = 0

    def __enter__(self) -> "_IndexWriter":
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def add_predictions(self, file: PredictionFile, source: str, min_score: float) -> int:
        """The detections of a file that score enough, by video and time. Returns how many."""
        rows, labels = 0, file.labels
        for item in sorted(file.detections, key=lambda one: one.video_id):
            kept = np.flatnonzero(item.scores >= min_score)
            kept = kept[np.lexsort((item.segments[kept, 1], item.segments[kept, 0]))]
            ids = item.labels[kept].astype(np.int32)
            columns = {
                "video": self._repeated(item.video_id, len(kept)),
                "action": self._chosen(ids, labels.actions),
                "part": self._chosen(np.asarray(labels.part_of, dtype=np.int32)[ids], labels.parts),
                "start": item.segments[kept, 0],
                "end": item.segments[kept, 1],
                "score": item.scores[kept],
                "source": self._repeated(source, len(kept)),
            }
            self.add_rows(self.pyarrow.table(columns, schema=self.schema))
            rows += len(kept)
        return rows

    def _repeated(self, text: str, count: int):
        return self._chosen(np.zeros(count, dtype=np.int32), (text,))

    def _chosen(self, indices: np.ndarray, texts: Sequence[str]):
        values = self.pyarrow.array(texts, type=self.pyarrow.string())
        return self.pyarrow.DictionaryArray.from_arrays(self.pyarrow.array(indices), values)

    def add_rows(self, table: "pyarrow.Table") -> None:
        self.rows += len(table)
        self.waiting.append(table)
        if sum(len(rows) for rows in self.waiting) >= ROWS_AT_ONCE:
            self._write_waiting()

    def _write_waiting(self) -> None:
        rows = self.pyarrow.concat_tables([self.schema.empty_table(), *self.waiting]).unify_dictionaries()
        self.file.write_table(rows, row_group_size=max(len(rows), 1))
        self.waiting = []

    def finish(self, sources: list[IndexedFile]) -> None:
        self._write_waiting()
        self.file.add_key_value_metadata({ABOUT: json.dumps([asdict(item) for item in sources])})


def _open(index: str | Path) -> "pyarrow.parquet.ParquetFile":
    """An index, its columns checked."""
    arrow, where = _pyarrow(), Path(index)
    if not where.exists():
        raise InputError(where, "is not there", "mmad index PREDICTIONS... --out FILE makes it")
    try:
        types = {item.name: item.type for item in arrow.parquet.read_schema(where)}
    except (arrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(where, f"not a Parquet file ({reason})", "name an index that mmad index made") from None
    for name in COLUMNS:
        if name not in types or not _fits(types[name], name):
            raise InputError(where, f"has no column {name!r} as an index has it", "name one that mmad index made")
    return arrow.parquet.ParquetFile(where, read_dictionary=list(TEXTS))


def _fits(kind: "pyarrow.DataType", name: str) -> bool:
    """Whether a column of this type can be the column `name` of an index."""
    types = _pyarrow().types
    if name in NUMBERS:
        return types.is_float64(kind)
    return types.is_string(kind.value_type if types.is_dictionary(kind) else kind)


def read_sources(index: str | Path) -> list[IndexedFile]:
    """The files that an index was made of."""
    with _open(index) as file:
        about = (file.metadata.metadata or {}).get(ABOUT)
    try:
        return [IndexedFile(**fields) for fields in json.loads(about)]
    except (TypeError, ValueError):
        raise InputError(index, "does not say what it was made of", "make a new index, under another name") from None


def _batches(index: str | Path) -> "Iterator[pyarrow.RecordBatch]":
    arrow = _pyarrow()
    with _open(index) as file:
        try:
            for group in range(file.num_row_groups):  # one by one: what was read is else held to the end of the file
                yield from file.iter_batches(2 * ROWS_AT_ONCE, [group], columns=list(COLUMNS), use_threads=False)
        except (arrow.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(index, f"is damaged ({reason})", "make it again with mmad index") from None


def _of_sources(batch: "pyarrow.RecordBatch", names) -> "pyarrow.Table":
    """The rows of a batch that were read from files of these names."""
    arrow = _pyarrow()
    codes, texts = _codes(batch, "source")
    wanted = np.array([text in names for text in texts], dtype=bool)
    return arrow.Table.from_batches([batch]).filter(arrow.array(wanted[codes]))


def _codes(batch: "pyarrow.RecordBatch", name: str) -> tuple[np.ndarray, list[str]]:
    """(rows,) which of the texts each row of a column has, and the texts."""
    column = batch.column(name)
    if column.null_count:
        raise InputError(f"column {name!r} of the index", "a row has none", "name an index that mmad index made")
    return column.indices.to_numpy(zero_copy_only=False), [str(text) for text in column.dictionary.to_pylist()]


# --- asking -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Query:
    """Which detections are wanted: all conditions hold. Of several actions, parts or videos any.

    actions, parts, videos: names in any case, `*` and `?` in them as in names of files; none for all. longer, shorter:
    s; score: the least.
    """

    actions: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    longer: float = 0.0
    shorter: float = np.inf
    score: float = 0.0


@dataclass
class Hits:
    """The detections that were asked for, N of them, in the order of the index.

    texts: {column: (N,) int32, which of `names[column]`}. numbers: {column: (N,) float64}. total: rows of the index.
    names: of each text column, those of all hits and, of actions, parts and videos, of the whole index.
    """

    texts: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]
    names: dict[str, list[str]]
    total: int

    def __len__(self) -> int:
        return len(self.numbers["score"])

    def select(self, order: np.ndarray) -> "Hits":
        texts, numbers = ({name: column[order] for name, column in each.items()} for each in (self.texts, self.numbers))
        return Hits(texts, numbers, self.names, self.total)

    def by_time(self) -> "Hits":
        """By video, then by start and end."""
        return self.select(np.lexsort(self._place_and_time()))

    def by_score(self) -> "Hits":
        """Best first; of equal scores by video and time."""
        return self.select(np.lexsort((*self._place_and_time(), -self.numbers["score"])))

    def _place_and_time(self) -> tuple[np.ndarray, ...]:
        """(N,) keys to sort by, the first counts least: end, start, place of the video among all by name."""
        names = self.names["video"]
        place = np.empty(len(names), dtype=np.int32)
        place[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        return self.numbers["end"], self.numbers["start"], place[self.texts["video"]]

    def first(self, count: int | None) -> "Hits":
        """The first `count`; all where that is None."""
        return self if count is None else self.select(np.arange(min(count, len(self))))

    def by_action(self) -> list[tuple[str, int, int, float, float]]:
        """(action, how many, in how many videos, s in all, median score) of each action, the most frequent first."""
        order = np.argsort(self.texts["action"], kind="stable")
        codes, starts = np.unique(self.texts["action"][order], return_index=True)
        lengths = self.numbers["end"] - self.numbers["start"]
        table = []
        for code, rows in zip(codes.tolist(), np.split(order, starts[1:]) if len(codes) else []):
            videos, score = len(np.unique(self.texts["video"][rows])), float(np.median(self.numbers["score"][rows]))
            table.append((self.names["action"][code], len(rows), videos, float(lengths[rows].sum()), score))
        return sorted(table, key=lambda row: (-row[1], row[0]))

    def rows(self) -> Iterator[dict]:
        """Each hit with its texts in place."""
        for begin in range(0, len(self), ROWS_AT_ONCE):
            part = slice(begin, begin + ROWS_AT_ONCE)
            columns = [
                *([self.names[name][code] for code in column[part].tolist()] for name, column in self.texts.items()),
                *(column[part].tolist() for column in self.numbers.values()),
            ]
            for values in zip(*columns):
                yield dict(zip((*self.texts, *self.numbers), values))


def ask(index: str | Path, query: Query) -> Hits:
    """The detections of an index that meet a query; `InputError` where a name in it is of nothing in the index."""
    texts: dict[str, list[np.ndarray]] = {name: [np.zeros(0, dtype=np.int32)] for name in TEXTS}
    numbers: dict[str, list[np.ndarray]] = {name: [np.zeros(0)] for name in NUMBERS}
    codes: dict[str, dict[str, int]] = {name: {} for name in TEXTS}
    patterns = {"action": query.actions, "part": query.parts, "video": query.videos}
    total = 0
    for batch in _batches(index):
        total += len(batch)
        found, of_row = {}, {}
        for name in TEXTS:
            at, values = _codes(batch, name)
            own = codes[name]
            of_row[name] = at, np.array([own.setdefault(text, len(own)) for text in values], dtype=np.int32)
            found[name] = np.array([_matches(text, patterns.get(name, ())) for text in values], dtype=bool)
        values = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in NUMBERS}
        length = values["end"] - values["start"]
        kept = (values["score"] >= query.score) & (length > query.longer) & (length < query.shorter)
        for name in patterns:
            kept &= found[name][of_row[name][0]]
        for name, (at, own) in of_row.items():
            texts[name].append(own[at[kept]])
        for name, column in values.items():
            numbers[name].append(column[kept])
    names = {name: list(own) for name, own in codes.items()}
    for name, wanted in patterns.items():
        _require_some(index, name, wanted, names[name])
    joined = ({name: np.concatenate(each.pop(name)) for name in list(each)} for each in (texts, numbers))
    return Hits(*joined, names, total)


def _matches(text: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(spelling(text), spelling(pattern)) for pattern in patterns)


def _require_some(index: str | Path, column: str, patterns: Sequence[str], names: list[str]) -> None:
    """Refuses a name that is of nothing in the index: a slip would look as if nothing had been found."""
    import difflib

    for pattern in patterns:
        if not any(_matches(name, [pattern]) for name in names):
            near = difflib.get_close_matches(spelling(pattern), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"for example {min(names)!r}" if names else "it is empty"
            raise InputError(f"--{column}", f"no {column} {pattern!r} in {index}", hint)
