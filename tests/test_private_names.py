"""Patches of other packages and private names of theirs are those of docs/architecture.md."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("mmdet2tflite", "tasks", "flows", "benchmarks")
PUBLIC = {"_exit"}
"""os._exit is documented."""


def listed() -> dict[str, tuple[set[str], str]]:
    """File → the last words of the names that its line of the list shows, and their test."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## Patches and private names")
    lines = re.findall(r"^\| `(.+?)` \| (.+?) \| .+ \| `(.+?)` \|$", section, re.MULTILINE)
    return {file: (set(re.findall(r"(\w+)(?:\"\])?`", names)), test) for file, names, test in lines}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def is_foreign(module: str) -> bool:
    root = module.partition(".")[0]
    return root not in OURS and root not in sys.stdlib_module_names


def foreign_imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(name in the module, name where it comes from), wherever in the module it is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and is_foreign(node.module):
            yield from ((each.asname or each.name, each.name) for each in node.names)
        elif isinstance(node, ast.Import):
            for each in node.names:
                if is_foreign(each.name):
                    yield (each.asname or each.name.partition(".")[0]), each.name


def own_names(tree: ast.Module) -> Iterator[str]:
    """What the module defines, or sets as a variable or attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def root_of(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def found_in(source: str) -> set[str]:
    """Private names of others that a module uses, and names of others that it sets."""
    tree = ast.parse(source)
    foreign, own = dict(foreign_imports(tree)), set(own_names(tree))
    found = {name for name in foreign.values() if is_private(name)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        is_own = ast.unparse(node.value) in ("self", "cls") and node.attr in own
        is_patch = isinstance(node.ctx, ast.Store) and root_of(node) in foreign
        if is_patch or (is_private(node.attr) and not is_own):
            found.add(node.attr)
    return found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from mmengine import _load", {"_load"}),
        ("import numpy as np\nnp._core.multiarray", {"_core"}),
        ("import torch\ndef f():\n    torch.onnx.export = 1", {"export"}),
        (
            "class Own(Base):\n    def f(self):\n        self._g(self._theirs._h)",
            {"_g", "_theirs", "_h"},
        ),
        ("class Own(Base):\n    def _f(self):\n        self._f(self.theirs._f)", {"_f"}),
        ("class Own(Base):\n    def _f(self):\n        self._f(self.__class__)", set()),
        ("import os, sys\nsys.argv = []\nos._exit(1)", set()),
    ],
)
def test_what_is_foreign_is_found(source, found):
    assert found_in(source) == found


def test_all_that_the_source_uses_is_listed():
    names = listed()
    for folder in OURS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            found = found_in(path.read_text(encoding="utf-8"))
            missing = found - names.get(file, (set(), ""))[0]
            assert not missing, (
                f"{file} uses {missing}: add it to docs/architecture.md, with a test"
            )


def test_all_that_is_listed_is_used_and_has_a_test():
    assert len(listed()) > 5
    for file, (names, test) in listed().items():
        source = (ROOT / file).read_text(encoding="utf-8")
        unused = {name for name in names if not re.search(rf"\b{name}\b", source)}
        assert not unused, f"{file} does not use {unused} any more: delete it from the list"
        assert (ROOT / test).exists(), test
