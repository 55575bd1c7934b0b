"""What an mmdet or mmdeploy config file depends on, found without importing mmengine."""

import ast
import os
from pathlib import Path

from mmdet2tflite.errors import ConfigError
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.files.regular_file import check_regular

LARGEST_FILE = 10**7


def config_digests(path: Path) -> list[str]:
    """Digests of a config file and, recursively, of its local ``_base_`` files, in that order.

    Which base is which is in the files' text. Bases of an installed package (``mmdet::yolox/…``)
    are covered by that package's version.

    Raises:
        ConfigError: no such file, or not Python.
    """
    digests: dict[str, str] = {}
    pending = [path]
    while pending:
        current = pending.pop(0)
        place = os.path.abspath(current)
        if place not in digests:
            digests[place] = _digest(current)
            pending += [current.parent / base for base in _bases(current) if "::" not in base]
    return list(digests.values())


def _digest(path: Path) -> str:
    try:
        check_regular(path, limit=LARGEST_FILE, error=ConfigError)
        return file_sha256(path)
    except (OSError, ConfigError) as error:
        reason = error.found if isinstance(error, ConfigError) else error.strerror
        raise ConfigError(
            f"the config file {path} cannot be read: {reason}",
            "an mmdet or mmdeploy config file",
            "check detector.config and export.deploy_config",
        ) from None


def _bases(path: Path) -> list[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_base_":
                value = ast.literal_eval(node.value)
                return [value] if isinstance(value, str) else [str(base) for base in value]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{path} is not Python: {error}", "an mmdet config file") from None
    return []
