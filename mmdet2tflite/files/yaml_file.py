"""Reads YAML of users and strangers: plain values only, and no more of them than is stated.

Rules:

1. Values are nested ``DEEPEST`` levels at most.
2. An alias counts as all that it stands for: a few lines could mean billions of values. It may not
   stand for what it is a part of.
3. A key is there once: of two values, one would be lost without a word.
4. Tags (``!!python/object``) are refused: what a value is, its form says.
5. Whole numbers fit into 64 bits, and texts have neither zeros nor halves of characters, which no
   file's name can have.
"""

import re
from typing import Any

import yaml

from mmdet2tflite.safe_text import shortened

LONGEST = 1_000_000
"""Bytes of a file."""
DEEPEST = 50
MOST_VALUES = 50_000
LARGEST = 2**63
NO_TEXT = re.compile("[\0\ud800-\udfff]")
DIGITS = 100
"""Of a number; YAML's numbers to the base 60 would take minutes otherwise."""


class _Refused(yaml.MarkedYAMLError):
    """One of the rules is broken, at an event or a node."""

    def __init__(self, problem: str, where: Any) -> None:
        super().__init__(problem=problem, problem_mark=where.start_mark)


class _Loader(yaml.SafeLoader):
    """SafeLoader and the rules."""

    def __init__(self, text: str | bytes) -> None:
        super().__init__(text)
        self._depth, self._values = 0, 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        before = self._values
        if isinstance(event, yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                raise _Refused("an alias of what it is a part of", event)
            self._values += self._sizes[id(node)]
        else:
            if event.tag not in (None, "!"):
                raise _Refused(f"the tag {shortened(event.tag)}", event)
            self._values += 1
            self._depth += 1
            if self._depth > DEEPEST:
                raise _Refused(f"more than {DEEPEST} levels", event)
            node = super().compose_node(parent, index)
            self._depth -= 1
            self._sizes[id(node)] = self._values - before
        if self._values > MOST_VALUES:
            problem = f"more than {MOST_VALUES} values, aliases counted as what they stand for"
            raise _Refused(problem, event)
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _Refused(f"the key '{shortened(key.value)}' twice", key)
                seen.add((key.tag, key.value))
        return node

    def construct_yaml_int(self, node: Any) -> int:
        value: int = LARGEST if len(node.value) > DIGITS else super().construct_yaml_int(node)
        if abs(value) >= LARGEST:
            raise _Refused("a number of more than 64 bits", node)
        return value

    def construct_yaml_float(self, node: Any) -> float:
        if len(node.value) > DIGITS:
            problem = f"a number of more than {DIGITS} digits"
            raise _Refused(problem, node)
        return super().construct_yaml_float(node)

    def construct_yaml_str(self, node: Any) -> str:
        value: str = super().construct_yaml_str(node)
        if NO_TEXT.search(value):
            raise _Refused("a zero or half a character", node)
        return value


_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_yaml_str)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def read_yaml(text: str | bytes) -> Any:
    """The values of a document.

    Raises:
        ValueError: it is not YAML, several documents, or breaks a rule; a line says what and where.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        words = " ".join(filter(None, (error.context, error.problem)))
        raise ValueError(f"{place}{words}") from None
    except yaml.YAMLError as error:  # characters that are none
        raise ValueError(" ".join(str(error).split())) from None
    except (
        ValueError,
        OverflowError,
    ) as error:  # a date that does not exist, a number of thousands of digits
        raise ValueError(f"a value that means nothing: {error}") from None
