"""``python -m tasks.tracking.registry_command``: what ``mmdet2tflite champion`` becomes."""

import json
from pathlib import Path
from typing import Any, NoReturn

from mmdet2tflite.cli.command_line import AsJson, run_command
from mmdet2tflite.cli.models import Model, Name, Out, Tracking
from mmdet2tflite.config.project import project_root
from mmdet2tflite.errors import RegistryError, StoreError
from tasks.servers.databases import DATABASE, TRACKING_URI
from tasks.tracking.registry import CHALLENGER, CHAMPION, PROMOTION, Registry
from tasks.tracking.tracking_place import named_tracking
from tasks.tracking.version import Version

SHOWN = ("map", "latency_ms", "size_mb")


def main() -> NoReturn:
    """One of the four words."""
    run_command(champion, promote, rollback, pull)


def champion(model: Model, tracking: Tracking = None, as_json: AsJson = False) -> None:
    """Show a version of a model, by default the champion. Raises UserError."""
    registry, reference = _asked_for(model, tracking)
    version = registry.get(reference or CHAMPION)
    metrics = registry.metrics(version)
    if as_json:
        print(json.dumps({**vars(version), "metrics": metrics}, indent=1))
        return
    for line in _lines(version, metrics):
        print(line)


def promote(model: Model, tracking: Tracking = None) -> None:
    """Make a version the champion, by default the challenger. Raises UserError."""
    registry, reference = _asked_for(model, tracking)
    version = registry.get(reference or CHALLENGER)
    registry.promote(version, replacing=registry.find(CHAMPION))
    registry.decided(version, "promoted by hand")
    print(f"{registry.model} version {version.number} is the champion")


def rollback(model: Name, tracking: Tracking = None) -> None:
    """Let the previous champion take its place back. Raises UserError."""
    registry, _ = _asked_for(model, tracking)
    champion, challenger = registry.rollback()
    registry.decided(challenger, "rolled back by hand")
    print(
        f"{registry.model} version {champion.number} is the champion again, version "
        f"{challenger.number} the challenger"
    )


def pull(model: Model, out: Out, tracking: Tracking = None) -> None:
    """Fetch the file of a version, by default the champion's. Raises UserError."""
    registry, reference = _asked_for(model, tracking)
    version = registry.get(reference or CHAMPION)
    try:
        registry.fetch(version, out)
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error}", "a file to write") from None
    print(f"{registry.model} version {version.number}: {out}")


def _asked_for(model: str, folder: Path | None) -> tuple[Registry, str]:
    """Registry, and alias or version if one is named.

    Raises RegistryError where nothing was tracked, so that no empty database is made.
    """
    folder = folder or project_root() / "mlruns"
    if not named_tracking() and not (folder / DATABASE).exists():
        raise RegistryError(
            f"nothing was tracked in {folder.absolute()} yet",
            f"MLflow's {DATABASE}",
            f"name its folder with --tracking, or a server with {TRACKING_URI}",
        )
    name, _, reference = model.partition("@")
    return Registry(name, folder), reference


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
    main()
