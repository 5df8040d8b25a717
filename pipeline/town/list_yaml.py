"""Values of one camera of a YAML list exchanged; comments and all other lines stay as they are.

The parser says where in the text each value stands; only that part is written anew. Whoever calls
reads the result and compares, so what this can't do (an anchor that others use) is found there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_values(text: str, camera_id: str, values: Mapping[str, str]) -> str:
    """The list with these values, written as JSON or ``null``, in this camera's entry.

    ``text`` is a list that its reader takes. Raises KeyError for a camera that is not in it, and
    for a value that stands elsewhere.
    """
    for name, value in values.items():
        entry = _entry(text, camera_id)
        at = next((pair for pair in entry.value if pair[0].value == name), None)
        if at is None:
            text = _added(text, entry, f"{name}: {value}")
        else:
            start, end = at[0].start_mark.index, _end(at[1])
            if end < at[0].end_mark.index:
                raise KeyError(name)
            text = f"{text[:start]}{name}: {value}{text[end:]}"
    return text


def _entry(text: str, camera_id: str) -> yaml.MappingNode:
    root: Any = yaml.compose(text, yaml.SafeLoader)
    for entry in root.value[0][1].value:
        for key, value in entry.value:
            if key.value == "camera_id" and str(value.value).strip() == camera_id:
                return entry  # type: ignore[no-any-return]
    raise KeyError(camera_id)


def _end(node: Any) -> int:
    """Where a value ends; the parser's mark of a block is where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _added(text: str, entry: yaml.MappingNode, line: str) -> str:
    """Behind the last line of a block, in front of what stands in braces."""
    start = entry.start_mark.index
    if entry.flow_style:
        return f"{text[: start + 1]}{line}, {text[start + 1 :]}"
    last: Any = entry.value[-1][1]
    indent = " " * entry.start_mark.column
    if isinstance(last, yaml.ScalarNode) and last.style in ("|", ">"):
        return f"{text[:start]}{line}\n{indent}{text[start:]}"
    end = _end(last)
    line_end = text.find("\n", end)
    if line_end < 0:
        return f"{text}\n{indent}{line}\n"
    return f"{text[:line_end]}\n{indent}{line}{text[line_end:]}"
