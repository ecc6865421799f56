"""BORIS projects, `.boris`, read. One file for all videos. Standard library only."""

from mmad.errors import InputError
from mmad.formats.boris_observations import Observation, add_event, all_videos, name_of, pair_starts_with_stops
from mmad.formats.fields import LeftOut, as_number, if_positive
from mmad.formats.source import ReadOptions, Source
from mmad.records import Annotation

UNUSED_COLUMNS = ("media", "comment", "description", "start", "stop")  # of tables; the events of projects have none


def is_boris_project(source: Source) -> bool:
    content = source.json
    return isinstance(content, dict) and isinstance(content.get("observations"), dict) and "behaviors_conf" in content


def read_boris_project(source: Source, options: ReadOptions) -> list[Annotation]:
    """The state events of all observations of a `.boris` file: of each, every second event of a subject and a behavior
    with the same modifiers is its end."""
    path, content = source.path, source.json
    behaviors = content["behaviors_conf"].values() if isinstance(content["behaviors_conf"], dict) else []
    behaviors = [item for item in behaviors if isinstance(item, dict)]
    states = {str(item.get("code")) for item in behaviors if "state" in str(item.get("type")).lower()}
    left_out = LeftOut(path, options, "events")
    observations: dict[str, Observation] = {}
    rows = []
    for name, content_of in content["observations"].items():
        where = f"{path}, observation {name!r}"
        try:
            observation = _observation_in_project(name, content_of, where)
            observations[observation.name] = observation
            rows += [(observation, row) for row in _rows_in_project(content_of, states, where)]
        except InputError as error:
            options.on_problem(error)
    for observation, row in pair_starts_with_stops(rows, left_out):
        add_event(observation, row, left_out, options)
    return all_videos(path, list(observations.values()), left_out, options, [])


def _observation_in_project(name: str, content, where: str) -> Observation:
    if not isinstance(content, dict):
        raise InputError(where, "is not an observation")
    players = content.get("file") if isinstance(content.get("file"), dict) else {}
    media = players.get("1") if isinstance(players.get("1"), list) else []
    info = content.get("media_info") if isinstance(content.get("media_info"), dict) else {}
    lengths, rates = (info.get(key) if isinstance(info.get(key), dict) else {} for key in ("length", "fps"))
    offset = as_number(content.get("time offset")) or 0.0
    links = [link for link in media if isinstance(link, str)]
    known_lengths = [if_positive(lengths.get(link)) for link in links]
    fps = next((rate for link in links if (rate := if_positive(rates.get(link)))), None)
    return Observation(name_of(name, where), offset, links, known_lengths if all(known_lengths) else [], fps)


def _rows_in_project(content: dict, states: set[str], where: str) -> list[dict]:
    """The events as rows of a table."""
    events = content.get("events") or []
    if not isinstance(events, list):
        raise InputError(where, "'events' is not a list")
    rows, running = [], {}
    for i, event in enumerate(events):
        if not isinstance(event, list) or len(event) < 3:
            raise InputError(f"{where}, event {i}", f"{event!r}", "expected [time, subject, code, ...]")
        time, subject, code, modifier = (*event[:3], event[3] if len(event) > 3 else "")
        key = (str(subject), str(code), str(modifier))
        running[key] = not running.get(key, False)
        kind = "POINT" if str(code) not in states else "START" if running[key] else "STOP"
        about = {"where": f"{where}, event {i}", "type": kind, "time": str(time), "subject": str(subject)}
        rows.append({**about, "behavior": str(code), "modifier": str(modifier)} | dict.fromkeys(UNUSED_COLUMNS, ""))
    return rows
