"""What a run made, in a form that must be the same however often it was disturbed.

Compared with the undisturbed run:

1. The digests of the data set, the checkpoint, the ONNX, the rewritten graph and the TFLite files,
   each by its place in the last comparison. They cover every file but logs, so they are the bytes.
2. Of each report all files but those that hold measured times (``TIMED``), by their digest, and all
   metrics but latencies: mAP, parity, operators, size. A report's own digest is left out, for it
   covers those times; and so are the keys of what is made of a report, for the same reason.
3. Of the comparison: which models failed, what the data set was, what goes wrong with each model,
   and the images that were chosen. The page and the ranking speak of latencies.

Apart from that, every artefact of the store must hold exactly what its manifest says.

The experiment draws no augmentation at random: that of an epoch that is repeated after a kill would
be another one, and so would the weights.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmdet2tflite.files.digest import json_sha256
from mmdet2tflite.store.manifest import LOGS, MANIFEST, describe_files
from mmdet2tflite.store.store import LAST

TIMED = ("report.json", "operators.json")
LATENCY = "latency"
EQUAL_PARTS = ("experiment", "dataset", "mistakes", "gallery")
"""Of comparison.json."""

type Fingerprint = Mapping[str, Any]
type Place = tuple[str, str]
"""Stage and key."""


def manifests(store: Path) -> dict[Place, dict[str, Any]]:
    """All artefacts' manifests. One that cannot be read counts as empty."""
    return {(p.parts[-3], p.parts[-2]): _read(p) for p in store.glob(f"[!.]*/*/{MANIFEST}")}


def digests(store: Path) -> dict[Place, str]:
    """The digest of each finished artefact."""
    return {
        place: str(manifest.get("value", {}).get("digest", ""))
        for place, manifest in manifests(store).items()
    }


def damaged(store: Path) -> list[str]:
    """Names of the artefacts that hold anything else than their manifest says."""
    return [
        "/".join(place)
        for place, manifest in manifests(store).items()
        if _without_manifest(store.joinpath(*place)) != manifest.get("files")
    ]


def fingerprint(store: Path, experiment: str) -> Fingerprint:
    """What the last run of an experiment made (see above); empty if there was none."""
    last = store / LAST / experiment
    if not last.exists():
        return {}
    all_of_them = manifests(store)
    place = last.read_text(encoding="utf-8")
    manifest = _read(store / place / MANIFEST)
    numbers = _read(store / place / "comparison.json")
    reports = {
        m["value"]["digest"]: m for (stage, _), m in all_of_them.items() if stage == "report"
    }
    inputs = manifest.get("origin", {}).get("inputs", {})
    found: dict[str, Any] = {"failed": manifest.get("value", {}).get("failed")}
    for name, digest in inputs.items():
        if name.startswith("report "):
            found |= {f"{name}: {part}": v for part, v in _of_report(reports.get(digest, {}))}
        else:
            found[name] = digest
    return found | {f"comparison: {p}": json_sha256(numbers.get(p)) for p in EQUAL_PARTS}


def differences(expected: Fingerprint, found: Fingerprint) -> list[str]:
    """Names of what is missing, too much or different."""
    names = [*expected, *(name for name in found if name not in expected)]
    return [name for name in names if expected.get(name) != found.get(name)]


def _of_report(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    value = manifest.get("value", {})
    yield from ((name, value.get(name)) for name in ("variant", "runtime", "model"))
    for name, metric in value.get("metrics", {}).items():
        if not name.startswith(LATENCY):
            yield name, metric
    for name, file in manifest.get("files", {}).items():
        if name not in TIMED and not name.startswith(f"{LOGS}/"):
            yield name, file["sha256"]


def _without_manifest(folder: Path) -> dict[str, Any]:
    return {name: file for name, file in describe_files(folder).items() if name != MANIFEST}


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
