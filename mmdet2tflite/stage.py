"""A stage: a pure function of its input artefacts and its own config, and what its key digests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from mmdet2tflite.artifacts import Artifact
from mmdet2tflite.config.base import NotInKey
from mmdet2tflite.files.digest import json_sha256
from mmdet2tflite.processes.messages import leave_request
from mmdet2tflite.processes.toolchain import OnProgress, run_python
from mmdet2tflite.sources import source_digests
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.store.store import Store

KEY_LENGTH = 20
GIVEN = "given"
"""In a manifest's origin: the config with what is in no key, such as paths. Artefacts without it
have a key by the rules of an earlier version."""

_looked_at: set[tuple[str, str]] = set()
"""Stores and stages that ``_say_if_filled_before`` need not look at again."""


@dataclass(frozen=True)
class Job:
    """What a stage function receives besides its inputs: where to write, for how long."""

    store: Store
    work: Path
    timeout: float
    on_progress: OnProgress = lambda message: None

    def ask[R](
        self,
        tool: str,
        worker: str,
        request: BaseModel,
        result: type[R],
        *,
        log: str,
        environment: Mapping[str, str] | None = None,
    ) -> R:
        """Run a worker, a module by name, and return its result (``messages``, ``run_python``).

        It is logged in ``log/<log>.log``; beside that is the request.
        """
        file = self.work / LOGS / f"{log}.log"
        found = run_python(
            tool,
            worker,
            [leave_request(request, file)],
            log=file,
            timeout=self.timeout,
            environment=environment,
            on_progress=self.on_progress,
        )
        return TypeAdapter(result).validate_python(found)


def nothing_outside(config: Any) -> Any:
    """The default: the stage depends on nothing but its config and inputs."""
    return None


@dataclass(frozen=True)
class Stage[T: Artifact]:
    """How one kind of artefact is made.

    Args:
        name: the folder in the store.
        run: ``run(job, config, **inputs)`` writes its files into ``job.work``, returns the value.
            The text of its module, and of all that this one leads to, enters the key (sources.py).
        tools: distributions whose versions enter the key, or a function of the config that names
            them.
        outside: state outside the config that the result depends on, as a JSON value: the content
            of the files that it names (their paths are in no key), the machine.
        resumable: an interrupted attempt's files are found again.
    """

    name: str
    run: Callable[..., T]
    tools: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ()
    outside: Callable[[Any], Any] = nothing_outside
    resumable: bool = False

    def origin(self, config: Any, inputs: dict[str, Artifact | None]) -> dict[str, Any]:
        """Everything the key is made of, as a JSON value."""
        tools = self.tools(config) if callable(self.tools) else self.tools
        return {
            "stage": self.name,
            "config": _in_key(config),
            "outside": self.outside(config),
            "inputs": {name: value.digest if value else None for name, value in inputs.items()},
            "tools": {tool: version(tool) for tool in tools},
            "sources": source_digests(self.run),
        }

    def key(self, config: Any, **inputs: Artifact | None) -> str:
        """The name of the result in the store; also the key of Prefect's cache."""
        return json_sha256(self.origin(config, inputs))[:KEY_LENGTH]

    def build(
        self,
        store: Store,
        config: Any,
        *,
        timeout: float,
        on_progress: OnProgress = lambda message: None,
        on_wait: Callable[[], None] = lambda: None,
        **inputs: Artifact | None,
    ) -> T:
        """Return the stored result, or run the stage and store it. Raises UserError."""
        origin = self.origin(config, inputs)

        def make(work: Path) -> T:
            _say_if_filled_before(store, self.name, on_progress)
            return self.run(Job(store, work, timeout, on_progress), config, **inputs)

        artifact = store.build(
            self.name,
            json_sha256(origin)[:KEY_LENGTH],
            make,
            origin={**origin, GIVEN: _as_json(config)},
            resumable=self.resumable,
            on_wait=on_wait,
        )
        return artifact  # type: ignore[return-value]  # the key's stage name decides the type


def _say_if_filled_before(store: Store, stage: str, on_progress: OnProgress) -> None:
    """Why is it made, if it is there? Said once in a process."""
    if (store.root, stage) in _looked_at:
        return
    _looked_at.add((store.root, stage))
    if not all(GIVEN in origin for origin in store.origins(stage)):
        sentence = (
            f"{store.root}/{stage} holds artefacts of an earlier version, which made keys by other "
            "rules: they are not found any more, but made anew (docs/decisions/0002)"
        )
        on_progress({"caution": sentence})


def _as_json(config: Any) -> Any:
    if isinstance(config, BaseModel):
        return config.model_dump(mode="json")
    if isinstance(config, (tuple, list)):
        return [_as_json(item) for item in config]
    return config


def _in_key(config: Any) -> Any:
    """What of a config a key digests: no path, and nothing that changes no result."""
    if isinstance(config, BaseModel):
        fields = type(config).model_fields
        return {
            name: _in_key(value) for name, value in config if not _is_left_out(fields[name], value)
        }
    if isinstance(config, (tuple, list)):
        return [_in_key(item) for item in config if not isinstance(item, Path)]
    return config


def _is_left_out(field: FieldInfo, value: Any) -> bool:
    marked = any(isinstance(each, NotInKey) for each in field.metadata)
    return isinstance(value, Path) or marked or bool(field.exclude)
