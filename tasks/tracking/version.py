"""A version of a registered model, and its TFLite file as it was tracked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.errors import RegistryError
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.store.manifest import MANIFEST, Damaged, parse_manifest
from tasks.tracking.runs import MANIFESTS, ORIGIN

FILE = f"artifacts/{TfliteModel.model_fields['file'].default}"
"""Of the logged model: its TFLite file."""
KIND = TfliteModel.model_fields["kind"].default


@dataclass(frozen=True)
class Version:
    """A version of the registered model ``model``."""

    model: str
    number: str
    run_id: str
    tags: Mapping[str, str]
    description: str
    aliases: tuple[str, ...]

    @property
    def name(self) -> str:
        """``digits version 3``"""
        return f"{self.model} version {self.number}"

    def artefact(self, stage: str) -> tuple[str, str]:
        """Stage and key of an artefact that it was made of, for ``Store.find``."""
        stage, key = self.tags[f"{ORIGIN}{stage}"].split("/")
        return stage, key


def file_of(version: Version, folder: Path) -> Path:
    """Download a version's file into a folder, and compare it with the manifest tracked with it.

    Raises:
        RegistryError: the file or the manifest is gone or damaged.
    """
    uri = f"models:/{version.model}/{version.number}/{FILE}"
    try:
        path = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
    except MlflowException as error:
        raise RegistryError(
            f"MLflow does not give the file of {version.name}: {error.message}",
            "the files that were tracked",
            "run the experiment again: it is tracked anew; until then, another version",
        ) from None
    if file_sha256(path) != _digest(version, folder):
        raise RegistryError(
            f"the file of {version.name} is not the one that was tracked: it is damaged",
            "the digest in the manifest that was tracked with it",
            "run the experiment again: it is tracked anew; until then, another version",
        )
    return path


def _digest(version: Version, folder: Path) -> str:
    """SHA-256 of a version's file, by the manifest of the artefact that it is of."""
    tags = mlflow.MlflowClient().get_run(version.run_id).data.tags
    for stage in sorted(name.removeprefix(ORIGIN) for name in tags if name.startswith(ORIGIN)):
        place = f"{MANIFESTS}/{stage}/{MANIFEST}"
        try:
            path = mlflow.artifacts.download_artifacts(
                run_id=version.run_id, artifact_path=place, dst_path=str(folder)
            )
            manifest = parse_manifest(Path(path).read_bytes())
        except (MlflowException, Damaged, OSError):
            continue
        if manifest["value"]["kind"] == KIND:
            return str(manifest["files"][manifest["value"]["file"]]["sha256"])
    raise RegistryError(
        f"{version.name} has no manifest that could be read in MLflow",
        f"{MANIFESTS}/STAGE/{MANIFEST} among the files of its run",
        "run the experiment again: it is tracked anew",
    )
