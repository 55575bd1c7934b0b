"""MLflow's model registry: one model per experiment, its versions, and three aliases.

``champion`` is the version in use, ``previous`` the one before it, ``challenger`` the last one that
was registered and is not the champion.

Rules:

1. Aliases change under a lock that all processes of this machine share, beside MLflow's database.
2. Whoever compared with a champion says which: if another one has taken its place, nothing changes.
3. ``previous`` is written before ``champion``: whoever is killed in between leaves a champion, and
   a ``previous`` that is the same version and counts for nothing.
4. A version's file is compared with the manifest that was tracked with it before it is promoted or
   handed out.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
from filelock import Timeout
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from mmdet2tflite.errors import RegistryError
from mmdet2tflite.processes.lock import file_lock
from mmdet2tflite.runtime.passport import load_passport
from tasks.tracking.runs import ORIGIN
from tasks.tracking.tracking_place import use_tracking
from tasks.tracking.version import Version, file_of

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
PROMOTION = "promotion"
"""Tag of versions and runs: what was decided."""
DATASET = "dataset"
"""Tag of a version: digest of the data that it was trained on."""
LOCK = "registry.lock"
SECONDS_TO_WAIT = 60.0


class Registry:
    """The versions of one model."""

    def __init__(self, model: str, tracking: Path) -> None:
        """Raises ServiceError if MLFLOW_TRACKING_URI names a server that does not answer."""
        self.model = model
        use_tracking(tracking)
        self._lock_file = tracking.absolute() / LOCK
        self._client = mlflow.MlflowClient()

    def find(self, alias: str) -> Version | None:
        """The version that has an alias."""
        number = self._aliases().get(alias)
        return None if number is None else self._version(number)

    def get(self, reference: str) -> Version:
        """The version of an alias or of a number. Raises RegistryError if there is none."""
        aliases = self._aliases()
        number = aliases.get(reference, reference)
        if number.isdecimal():
            try:
                return self._version(number)
            except MlflowException:
                pass
        raise self._unknown(reference, aliases)

    def run_of(self, row: Mapping[str, Any]) -> Run:
        """The newest tracked run of a row of ``comparison.json``.

        Raises:
            RegistryError: there is none.
        """
        parts = {stage: part["folder"] for stage, part in row["artefacts"].items()}
        wanted = [f"tags.`{ORIGIN}{stage}` = '{folder}'" for stage, folder in parts.items()]
        found = mlflow.search_runs(
            experiment_names=[self.model],
            filter_string=" and ".join([*wanted, "attributes.status = 'FINISHED'"]),
            order_by=["attributes.start_time DESC"],
            max_results=1,
            output_format="list",
        )
        if not found or not _models(found[0]):
            raise RegistryError(
                f"MLflow has no run of {row['variant']} of the experiment {self.model!r}",
                "a run that was tracked where `tracking` or MLFLOW_TRACKING_URI says",
                "run the experiment again with that setting; nothing is trained twice",
            )
        return found[0]

    def add(self, run: Run, tags: Mapping[str, str], description: str) -> Version:
        """Register the model of a run; it is the challenger now."""
        if self._registered() is None:
            try:
                self._client.create_registered_model(self.model)
            except MlflowException:  # another process was quicker
                if self._registered() is None:
                    raise
        model_id = _models(run)[0]
        made = self._client.create_model_version(
            self.model,
            source=f"models:/{model_id}",
            run_id=run.info.run_id,
            tags={**tags},
            description=description,
            model_id=model_id,
        )
        with self._locked():
            self._point(CHALLENGER, str(made.version))
        return self._version(str(made.version))

    def decided(self, version: Version, sentence: str) -> None:
        """Tag the version, and the run that its own belongs to, with a decision."""
        self._client.set_model_version_tag(self.model, version.number, PROMOTION, sentence)
        run = self._client.get_run(version.run_id)
        parent = run.data.tags.get("mlflow.parentRunId", version.run_id)
        self._client.set_tag(parent, PROMOTION, sentence)

    def promote(self, version: Version, replacing: Version | None) -> None:
        """Make a version the champion; the one that it replaces is kept as ``previous``.

        Args:
            replacing: the champion that it was compared with.

        Raises:
            RegistryError: it is the champion already, the champion is another one by now, or the
                version's file is damaged.
        """
        with tempfile.TemporaryDirectory() as folder:
            file_of(version, Path(folder))
        with self._locked():
            current = self.find(CHAMPION)
            if _number(current) != _number(replacing):
                raise RegistryError(
                    f"{version.name} was compared with {_describe(replacing)}, and the "
                    f"champion is {_describe(current)} by now",
                    "no other promotion or rollback in between",
                    "compare again: nothing was changed",
                )
            if current is not None and current.number == version.number:
                raise RegistryError(f"{version.name} is the champion already")
            if current is not None:
                self._point(PREVIOUS, current.number)
            self._point(CHAMPION, version.number)
            if self._aliases().get(CHALLENGER) == version.number:
                self._drop(CHALLENGER)
            over = f" in place of {_describe(current)}" if current else ""
            self._note(version, f"champion since {_now()}{over}")

    def rollback(self) -> tuple[Version, Version]:
        """Let the previous champion take its place back; the other one becomes the challenger.

        Returns:
            The champion and the challenger.

        Raises:
            RegistryError: there is no previous champion.
        """
        with self._locked():
            aliases = self._aliases()
            if aliases.get(PREVIOUS) == aliases.get(CHAMPION):  # rule 3
                aliases.pop(PREVIOUS, None)
            if PREVIOUS not in aliases or CHAMPION not in aliases:
                raise self._unknown(PREVIOUS, aliases)
            current, previous = self._version(aliases[CHAMPION]), self._version(aliases[PREVIOUS])
            self._point(CHALLENGER, current.number)
            self._point(CHAMPION, previous.number)
            self._drop(PREVIOUS)
            self._note(current, f"rolled back to {_describe(previous)} on {_now()}")
        return self._version(previous.number), self._version(current.number)

    def fetch(self, version: Version, target: Path) -> None:
        """Write the TFLite file of a version.

        Raises:
            OSError: it cannot be written.
            RegistryError: it is damaged.
            ModelError: its passport is none.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = file_of(version, Path(folder))
            load_passport(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.partial")
            shutil.copyfile(path, partial)
            partial.replace(target)

    def kept(self) -> list[Version]:
        """All versions that have an alias."""
        return [self._version(number) for number in sorted(set(self._aliases().values()))]

    def metrics(self, version: Version) -> dict[str, float]:
        """What was measured of it."""
        return dict(self._client.get_run(version.run_id).data.metrics)

    def _registered(self) -> Any:
        found = self._client.search_registered_models(f"name = '{self.model}'")
        return found[0] if found else None

    def _aliases(self) -> dict[str, str]:
        """Numbers by alias."""
        registered = self._registered()
        return {} if registered is None else {a: str(n) for a, n in registered.aliases.items()}

    def _version(self, number: str) -> Version:
        found: ModelVersion = self._client.get_model_version(self.model, number)
        return Version(
            self.model,
            str(found.version),
            found.run_id or "",
            dict(found.tags),
            found.description or "",
            tuple(found.aliases),
        )

    def _point(self, alias: str, number: str) -> None:
        self._client.set_registered_model_alias(self.model, alias, number)

    def _drop(self, alias: str) -> None:
        self._client.delete_registered_model_alias(self.model, alias)

    def _note(self, version: Version, line: str) -> None:
        """Add a line to its description."""
        text = self._version(version.number).description
        self._client.update_model_version(self.model, version.number, f"{text}\n\n{line}".strip())

    def _unknown(self, reference: str, aliases: Mapping[str, str]) -> RegistryError:
        if self._registered() is None:
            names = [found.name for found in self._client.search_registered_models()]
            there = f"there are {', '.join(names)}" if names else "there is none at all"
            return RegistryError(
                f"no model {self.model!r} is registered; {there}",
                "the name of an experiment that was retrained",
                "run the deployment `retrain/weekly`",
            )
        words = [f"{alias} (version {number})" for alias, number in sorted(aliases.items())]
        return RegistryError(
            f"the model {self.model!r} has no {reference!r}; there are "
            + (", ".join(words) or "none"),
            "an alias, or the number of a version",
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Rule 1."""
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file_lock(self._lock_file).acquire(timeout=SECONDS_TO_WAIT):
                yield
        except Timeout:
            raise RegistryError(
                f"{self._lock_file} is held by another process for {SECONDS_TO_WAIT:.0f} s",
                "promotions that end",
                "look for a process that hangs",
            ) from None


def _models(run: Run) -> list[str]:
    """Ids of the models that a run logged."""
    return [output.model_id for output in run.outputs.model_outputs] if run.outputs else []


def _number(version: Version | None) -> str | None:
    return version.number if version else None


def _describe(version: Version | None) -> str:
    return f"version {version.number}" if version else "none"


def _now() -> str:
    return datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
