"""The least score of a detection that is believed, per class: thresholds.json, and those of the command line."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.files import read_json
from mmad.formats.fields import label_id, score_in_range
from mmad.labels import LabelSet
from mmad.records import Annotation


def read_thresholds(path: str | Path, labels: LabelSet) -> np.ndarray:
    """(K,) least scores in 0..1 from {"pooled": x, "thresholds": {action: x}}; "pooled" is for actions left out."""
    content = read_json(path)
    found = content.get("thresholds") if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise InputError(path, "no thresholds in this JSON", 'expected {"pooled": x, "thresholds": {action: x}}')
    values = np.full(len(labels), np.nan)
    if content.get("pooled") is not None:
        values[:] = score_in_range(content["pooled"], f"{path}, pooled")
    for name, value in found.items():
        where = f"{path}, thresholds, {name!r}"
        values[label_id(name, labels, where)] = score_in_range(value, where)
    for k in np.flatnonzero(np.isnan(values))[:1]:
        raise InputError(path, f"no threshold for {labels.actions[k]!r}", 'add it, or "pooled"')
    return values


def least_scores(labels: LabelSet, min_score: float | None, thresholds: str | Path | None) -> np.ndarray | None:
    """(K,) the higher of one score for all and of those of a file; None where neither is given."""
    if min_score is not None and not 0 <= min_score <= 1:
        raise InputError("--min-score", f"{min_score:g} is not a score", "scores are in 0..1")
    if min_score is None and thresholds is None:
        return None
    values = np.zeros(len(labels)) if thresholds is None else read_thresholds(thresholds, labels)
    return np.maximum(values, min_score or 0.0)


def keep(item: Annotation, minimum: np.ndarray | None = None, best: int | None = None) -> Annotation:
    """Those that reach the least score of their class, minimum (K,), and of these the `best` by score.

    What has no scores is kept whole.
    """
    if item.scores is None:
        return item
    kept = np.arange(len(item.labels)) if minimum is None else np.flatnonzero(item.scores >= minimum[item.labels])
    kept = kept[np.argsort(-item.scores[kept], kind="stable")[:best]]
    chosen = {"segments": item.segments[kept], "labels": item.labels[kept], "scores": item.scores[kept]}
    return replace(item, **chosen, duration=item.known_duration)
