"""What all pages are made of: a document around a body, tables, and content that does no harm."""

import json
from collections.abc import Iterable, Sequence
from html import escape


def document(title: str, assets: str, body: str) -> str:
    """assets: path of the folder of page.css, from the page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<link rel="icon" href="data:,">\n'
        f'<link rel="stylesheet" href="{assets}page.css"></head>\n<body>\n{body}\n</body></html>\n'
    )


def json_in_page(content) -> str:
    """JSON that may stand in a page: no `<` begins or ends anything."""
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def note_in_page(note: str) -> str:
    return f'<p class="note">{escape(note)}</p>' if note else ""


def table(heads: Iterable, rows: Iterable[Sequence]) -> str:
    """The first cell of a row is its name, the others are numbers."""
    head = "".join(f'<th scope="col">{escape(str(text))}</th>' for text in heads)
    body = "".join(
        f"<tr><td>{escape(str(row[0]))}</td>"
        + "".join(f'<td class="number">{escape(str(cell))}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
