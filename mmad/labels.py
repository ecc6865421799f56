"""Names of classes: the 52 micro-actions of MMA-52 / MA-52 and their 7 body parts.

The index is the label id of the official files (`label_name.txt`). Source: Guo et al., TCSVT 2024, and the data of the
challenge.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmad.errors import InputError
from mmad.files import read_lines, spelling


@dataclass(frozen=True)
class LabelSet:
    """Action names in the order of their ids, body-part names, and the part of each action."""

    name: str
    actions: tuple[str, ...]
    parts: tuple[str, ...]
    part_of: tuple[int, ...]

    @cached_property
    def index(self) -> dict[str, int]:
        """{action name: label id}"""
        return {name: i for i, name in enumerate(self.actions)}

    @cached_property
    def _spelled(self) -> dict[str, int | None]:
        """{spelling: label id}; None for a spelling of several actions."""
        known: dict[str, int | None] = {}
        for i, name in enumerate(self.actions):
            known[spelling(name)] = None if spelling(name) in known else i
        return known

    def find(self, name: str) -> int | None:
        """The id of an action by its name, regardless of case, spaces and Unicode form; None where there is none.

        An exact match has priority.
        """
        return self.index[name] if name in self.index else self._spelled.get(spelling(name))

    def __len__(self) -> int:
        return len(self.actions)

    def as_dict(self) -> dict:
        """Texts, numbers and lists, for JSON and checkpoints; `label_set_from` reads it."""
        lists = {"actions": self.actions, "parts": self.parts, "part_of": self.part_of}
        return {"name": self.name, **{key: list(values) for key, values in lists.items()}}


def label_set_from(fields: dict) -> LabelSet:
    """The label set of `LabelSet.as_dict`; `KeyError`, `TypeError` or `ValueError` where the fields do not fit."""
    if not all(isinstance(fields[key], list) for key in ("actions", "parts", "part_of")):
        raise TypeError("actions, parts and part_of are not lists")
    actions, parts, part_of = (tuple(fields[key]) for key in ("actions", "parts", "part_of"))
    if not all(isinstance(name, str) for name in actions + parts):
        raise TypeError("a name is not a text")
    known = all(type(part) is int and 0 <= part < len(parts) for part in part_of)
    if not actions or len(part_of) != len(actions) or not known:
        raise ValueError("actions and parts do not fit")
    if len(set(actions)) < len(actions):
        raise ValueError("an action is there twice")
    return LabelSet(str(fields["name"]), actions, parts, part_of)


_ACTIONS_BY_PART = {
    "body": (
        "shaking body",
        "sitting straightly",
        "shrugging",
        "turning around",
        "rising up",
    ),
    "head": (
        "bowing head",
        "head up",
        "tilting head",
        "turning head",
        "nodding",
        "shaking head",
    ),
    "upper limb": (
        "scratching arms",
        "playing objects",
        "putting hands together",
        "rubbing hands",
        "pointing oneself",
        "clenching fist",
        "stretching arms",
        "retracting arms",
        "waving",
        "spreading hands",
        "hands touching fingers",
        "other finger movements",
        "illustrative gestures",
    ),
    "lower limb": (
        "shaking legs",
        "curling legs",
        "spread legs",
        "closing legs",
        "crossing legs",
        "stretching feet",
        "retracting feet",
        "tiptoe",
    ),
    "body-hand": (
        "scratching or touching neck",
        "scratching or touching chest",
        "scratching or touching back",
        "scratching or touching shoulder",
        "arms akimbo",
        "crossing arms",
    ),
    "head-hand": (
        "playing or tidying hair",
        "scratching or touching hindbrain",
        "scratching or touching forehead",
        "scratching or touching face",
        "rubbing eyes",
        "touching nose",
        "touching ears",
        "covering face",
        "covering mouth",
        "pushing glasses",
    ),
    "leg-hand": (
        "patting legs",
        "touching legs",
        "scratching legs",
        "scratching feet",
    ),
}

MMA52 = LabelSet(
    name="mma52",
    actions=tuple(action for actions in _ACTIONS_BY_PART.values() for action in actions),
    parts=tuple(_ACTIONS_BY_PART),
    part_of=tuple(part for part, actions in enumerate(_ACTIONS_BY_PART.values()) for _ in actions),
)


def read_label_set(name: str) -> LabelSet:
    """ "mma52", or a text file with one action per line: `name`, `index<TAB>name` or `index<TAB>name<TAB>body part`.

    Without body parts every action belongs to one part called "all".
    """
    if name == MMA52.name:
        return MMA52
    actions, parts = [], []
    for line, text in enumerate(read_lines(name), start=1):
        fields = text.strip().split("\t")
        if not text.strip():
            continue
        if len(fields) > 1 and fields[0] != str(len(actions)):
            expected = f"expected {len(actions)}: ids count from 0"
            raise InputError(f"{name}, line {line}", f"index {fields[0]!r}", expected)
        actions.append(fields[min(1, len(fields) - 1)].strip())
        parts.append(fields[2].strip() if len(fields) > 2 else "all")
    if not actions:
        raise InputError(name, "no labels in the file", "write one action per line")
    if len(set(actions)) < len(actions):
        twice = next(action for action in actions if actions.count(action) > 1)
        raise InputError(name, f"the action {twice!r} is there twice")
    part_names = tuple(dict.fromkeys(parts))
    return LabelSet(Path(name).stem, tuple(actions), part_names, tuple(part_names.index(part) for part in parts))


def named_labels(name: str | None) -> LabelSet | None:
    """The label set of --labels; None without it, when the label set in the predictions is used."""
    return None if name is None else read_label_set(name)
