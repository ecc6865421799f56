"""Tiers, of which each holds what does not overlap: of ELAN and Praat. Standard library only."""

import re
from fnmatch import fnmatchcase

from mmad.errors import InputError
from mmad.formats.source import Coders
from mmad.labels import LabelSet
from mmad.records import Row

TIERS = ("action", "part")


def check_tiers(tiers: str) -> str:
    if tiers not in TIERS:
        raise InputError("--tiers", f"{tiers!r}", f"choose one of {', '.join(TIERS)}")
    return tiers


def tier_is_meant(name: str, coders: Coders) -> bool:
    """Whether a tier is one of those that a person named, or none were named."""
    return not coders.tiers or any(fnmatchcase(name.casefold(), wanted.casefold()) for wanted in coders.tiers)


def action_of_tier(name: str, labels: LabelSet) -> int | None:
    """The action that a tier is named after, "nodding", "nodding 2" or "nodding@anna"; None where after none."""
    for shorter in (name, name.partition("@")[0], re.sub(r" \d+$", "", name)):
        if (found := labels.find(shorter)) is not None:
            return found
    return None


def lanes(spans: list[tuple[int, int]]) -> list[int]:
    """For each span, in order of start, the first lane in which it overlaps none before it; spans may touch."""
    free_from: list[int] = []
    chosen = []
    for start, end in spans:
        lane = next((i for i, free in enumerate(free_from) if free <= start), len(free_from))
        free_from[lane : lane + 1] = [end]
        chosen.append(lane)
    return chosen


def arrange(rows: list[Row], spans: list[tuple[int, int]], labels: LabelSet, tiers: str) -> list[tuple[str, list[int]]]:
    """[(tier name, indices of its rows)] in the order of the labels; "nodding 2" holds what overlaps in "nodding".

    rows: in order of start. spans: of the rows, in the units of the format. tiers: one of `TIERS`.
    """
    group_of = [label if tiers == "action" else labels.part_of[label] for _, _, label, _ in rows]
    names = labels.actions if tiers == "action" else labels.parts
    taken = set(names)
    made = []
    for group in sorted(set(group_of)):
        members = [i for i, own_group in enumerate(group_of) if own_group == group]
        lane_of = lanes([spans[i] for i in members])
        number = 1
        for lane in range(max(lane_of) + 1):
            name = names[group] if lane == 0 else None
            while name is None:  # an action may itself be called "nodding 2"
                number += 1
                name = f"{names[group]} {number}" if f"{names[group]} {number}" not in taken else None
            taken.add(name)
            made.append((name, [i for i, own_lane in zip(members, lane_of) if own_lane == lane]))
    return made
