"""YAML as people should be able to rely on it: a key that stands twice is a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping; YAML would quietly keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value
            if isinstance(key_node, yaml.ScalarNode) and key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key} stands twice", problem_mark=key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else id(key))
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """Raises yaml.YAMLError, and ValueError or RecursionError for values PyYAML chokes on."""
    return yaml.load(text, Loader=_OnceLoader)  # noqa: S506 - derived from SafeLoader
