"""Which modules decide what a stage makes: computed from what they import, never listed by hand.

1. The first is the one that defines the stage's function. Each leads to what it imports, at its top
   or inside a function, but for type checkers alone.
2. A worker is not imported but named (``run_python(…, "mmdet2tflite.graph.rewrite_worker", …)``): a
   string that is the full name of a module leads there as an import does.
3. To import ``a.b.c`` runs the file of the package ``a.b`` before, so that belongs to it. What that
   file imports is for those who import ``a.b`` itself, and the outermost package, which has the
   version of a release, is left out.
4. ``INFRASTRUCTURE`` is left out, and leads nowhere.
5. Looked at are the library and the package that the stage is defined in (``benchmarks``). A
   function that is in no package has the text of its own file alone.
"""

import ast
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmdet2tflite.files.digest import file_sha256

LIBRARY = "mmdet2tflite"

INFRASTRUCTURE: Mapping[str, str] = {
    "mmdet2tflite.config": "its values are in the key, and a setting that is refused makes nothing",
    "mmdet2tflite.errors": "what ends with an error leaves nothing in the store",
    "mmdet2tflite.processes": "starts, watches and ends a tool's process; what a result takes from "
    "the machine (processor, cores) is in the key as a value",
    "mmdet2tflite.sources": "makes the key, which shows by itself whether that comes out otherwise",
    "mmdet2tflite.stage": "makes the key, calls the stage, and hands its files on as they are",
    "mmdet2tflite.store": "keeps files as they are, and compares their digests at each use",
}
"""Module, or package with all that is in it → why it decides about no result."""


def source_digests(run: Callable[..., Any]) -> dict[str, str]:
    """SHA-256 of every module that decides what ``run`` makes, by name.

    The files are read anew at each call, the imports only once in a process.
    """
    return {name: file_sha256(path) for name, path in source_files(run.__module__).items()}


@functools.cache
def source_files(module: str) -> dict[str, Path]:
    """The file of every module that a stage defined in ``module`` depends on, in order of names.

    Raises:
        LookupError: there is no such module.
    """
    roots = {name: folder for name in (LIBRARY, _root(module)) if (folder := _folder(name))}
    if _root(module) not in roots:  # rule 5
        return {module: _own_file(module)}
    graph = _graph(tuple(roots))
    modules = frozenset(graph.modules)
    if module not in modules:
        raise LookupError(f"a stage is defined in {module}, which is no module of {_root(module)}")
    found: set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        if name in found or _is_infrastructure(name):
            continue
        found.add(name)
        pending += graph.find_modules_directly_imported_by(name)
        pending += _named(_file(roots[_root(name)], name), modules, tuple(roots))
    found |= {package for name in found for package in _packages_around(name)}
    return {name: _file(roots[_root(name)], name) for name in sorted(found)}


@functools.cache
def _graph(roots: tuple[str, ...]) -> Any:
    import grimp  # a tenth of a second; a program that only shows a file makes no keys

    return grimp.build_graph(*roots, exclude_type_checking_imports=True, cache_dir=None)


def _named(file: Path, modules: frozenset[str], roots: tuple[str, ...]) -> Iterator[str]:
    """Rule 2."""
    text = file.read_text(encoding="utf-8")
    if not any(f"{quote}{root}." in text for root in roots for quote in "'\""):
        return  # parsing takes time, and few modules name another
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            yield from modules & {node.value}


def _packages_around(name: str) -> list[str]:
    """Rule 3: of ``a.b.c.d`` these are ``a.b`` and ``a.b.c``."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(2, len(parts))]


def _is_infrastructure(name: str) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in INFRASTRUCTURE)


def _root(module: str) -> str:
    return module.partition(".")[0]


def _folder(root: str) -> Path | None:
    """Of a package; None if it is something else."""
    try:
        spec = find_spec(root)
    except ValueError:  # __main__, of which nothing is known but its file
        return None
    if spec is None or spec.origin is None or spec.submodule_search_locations is None:
        return None
    return Path(spec.origin).parent


def _file(folder: Path, name: str) -> Path:
    place = folder.joinpath(*name.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _own_file(module: str) -> Path:
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        raise LookupError(f"a stage is defined in {module}, which has no file")
    return Path(file)
