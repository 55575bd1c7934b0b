"""``python -m tasks.tracking.registry_command``: what ``mmdet2tflite champion`` becomes."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mmdet2tflite.config.project import project_root
from mmdet2tflite.errors import RegistryError, StoreError
from mmdet2tflite.processes.exit_status import run_and_report
from tasks.servers.databases import DATABASE, TRACKING_URI
from tasks.tracking.registry import CHALLENGER, CHAMPION, PROMOTION, Registry
from tasks.tracking.tracking_place import named_tracking
from tasks.tracking.version import Version

SHOWN = ("map", "latency_ms", "size_mb")


def main() -> int:
    """One of the four words."""
    parser = argparse.ArgumentParser(prog="python -m tasks.tracking.registry_command")
    parser.add_argument("word", choices=("champion", "promote", "rollback", "pull"))
    parser.add_argument("model", help="MODEL, or MODEL@ALIAS, or MODEL@VERSION")
    parser.add_argument("--tracking", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    return run_and_report(lambda: run(parser.parse_args()))


def run(given: argparse.Namespace) -> None:
    """Raises UserError."""
    name, _, reference = given.model.partition("@")
    registry = Registry(name, _tracking(given.tracking))
    if given.word == "champion":
        _show(registry, registry.get(reference or CHAMPION), as_json=given.json)
    elif given.word == "promote":
        version = registry.get(reference or CHALLENGER)
        registry.promote(version, replacing=registry.find(CHAMPION))
        registry.decided(version, "promoted by hand")
        print(f"{name} version {version.number} is the champion")
    elif given.word == "rollback":
        champion, challenger = registry.rollback()
        registry.decided(challenger, "rolled back by hand")
        print(
            f"{name} version {champion.number} is the champion again, version "
            f"{challenger.number} the challenger"
        )
    else:
        version = registry.get(reference or CHAMPION)
        try:
            registry.fetch(version, given.out)
        except OSError as error:
            raise StoreError(f"{given.out} cannot be written: {error}", "a file to write") from None
        print(f"{name} version {version.number}: {given.out}")


def _tracking(folder: Path | None) -> Path:
    """Raises RegistryError where nothing was tracked, so that no empty database is made."""
    folder = folder or project_root() / "mlruns"
    if not named_tracking() and not (folder / DATABASE).exists():
        raise RegistryError(
            f"nothing was tracked in {folder.absolute()} yet",
            f"MLflow's {DATABASE}",
            f"name its folder with --tracking, or a server with {TRACKING_URI}",
        )
    return folder


def _show(registry: Registry, version: Version, *, as_json: bool) -> None:
    metrics = registry.metrics(version)
    if as_json:
        print(json.dumps({**vars(version), "metrics": metrics}, indent=1))
        return
    for line in _lines(version, metrics):
        print(line)


def _lines(version: Version, metrics: dict[str, Any]) -> list[str]:
    measured = "  ".join(f"{name} {metrics[name]:.4g}" for name in SHOWN if name in metrics)
    return [
        f"{version.model} version {version.number} ({', '.join(version.aliases) or 'no alias'})",
        f"{version.tags.get('variant', '')}  {measured}".strip(),
        version.tags.get(PROMOTION, ""),
        "",
        version.description,
    ]


if __name__ == "__main__":
    sys.exit(main())
