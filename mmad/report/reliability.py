"""What cannot be told, for people to read."""

from collections import defaultdict
from html import escape

from mmad.metrics.reliability import CANNOT_TELL, Reliability


def cannot_tell_section(reliability: Reliability) -> str:
    """HTML: the actions that cannot be told, together where the reason is the same; "" where all can be."""
    by_reason = defaultdict(list)
    for action, (grade, reason) in reliability.items():
        if grade == CANNOT_TELL:
            by_reason[reason].append(action)
    if not by_reason:
        return ""
    items = "".join(
        f"<dt>{escape(', '.join(actions))}</dt><dd>{escape(reason)}</dd>" for reason, actions in by_reason.items()
    )
    return f'<h2 id="cannot-tell">What cannot be told</h2><dl class="cannot-tell">{items}</dl>'
