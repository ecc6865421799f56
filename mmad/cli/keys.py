"""Every setting of a configuration as text: `key=value` with its default, and the sentence beside it in config.py."""

import ast
import inspect
import io
import shutil
import textwrap
import tokenize
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

WIDEST = 120  # columns
INDENT = 34  # columns before the sentences


def settings_text(kind: type) -> str:
    """What `--keys` prints of a configuration: a paragraph per section, each setting as it could be typed."""
    return "\n".join(_section(kind(), "", kind.__doc__ or ""))


def _section(config, prefix: str, title: str) -> Iterator[str]:
    """The lines of one section, its own settings first, then its sections."""
    sentences = field_sentences(type(config))
    yield from _wrapped(" ".join(f"{prefix.rstrip('.')}: {title}".removeprefix(": ").split()), "", "")
    inner = [item.name for item in fields(config) if is_dataclass(getattr(config, item.name))]
    for item in fields(config):
        if item.name not in inner:
            typed = f"  {prefix}{item.name}={as_typed(getattr(config, item.name))}"
            yield from _wrapped(sentences.get(item.name, ""), typed, " " * INDENT)
    for name in inner:
        yield ""
        section = getattr(config, name)
        yield from _section(section, f"{prefix}{name}.", type(section).__doc__ or "")


def _wrapped(sentence: str, start: str, indent: str) -> list[str]:
    width = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    lines = textwrap.wrap(sentence, max(width - len(indent), 30)) or [""]
    if len(start) + 2 > len(indent) and start:  # too long for its column: the sentence starts below
        return [start, *(indent + line for line in lines if line)]
    return [(start.ljust(len(indent)) + lines[0]).rstrip(), *(indent + line for line in lines[1:])]


def as_typed(value) -> str:
    """A value as a person types it behind `key=`, so that `load_config` reads the same value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    return str(value)


def field_sentences(kind: type) -> dict[str, str]:
    """{field: the comment behind it in the source of a dataclass}, those of the classes that it extends included."""
    found: dict[str, str] = {}
    for base in reversed([base for base in kind.__mro__ if is_dataclass(base)]):
        source = textwrap.dedent(inspect.getsource(base))
        comments = {
            token.start[0]: token.string.lstrip("# ")
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
        for node in ast.parse(source).body[0].body:
            if isinstance(node, ast.AnnAssign) and node.end_lineno in comments:
                found[node.target.id] = comments[node.end_lineno]
    return found
