"""Which modules a stage's key digests: what its module leads to, less the infrastructure."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mmdet2tflite import sources
from mmdet2tflite.artifacts import Report
from mmdet2tflite.config.experiment import DetectorConfig, Evaluation, Export, Training
from mmdet2tflite.convert.convert import CONVERT, ConvertConfig
from mmdet2tflite.convert.keras.to_keras import KERAS
from mmdet2tflite.convert.to_openvino import OPENVINO
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.detector.export import EXPORT
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from mmdet2tflite.evaluate.evaluate import EVALUATE
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.graph.rewrite import REWRITE, RewriteConfig
from mmdet2tflite.quantize.quantize import QUANTIZE
from mmdet2tflite.quantize.tuning.stage import TUNE
from mmdet2tflite.report.compare import COMPARE
from mmdet2tflite.sources import INFRASTRUCTURE, LIBRARY, source_files
from mmdet2tflite.stage import Job, Stage

STAGES: tuple[Stage[Any], ...] = (
    *(DATASET, TRAIN, EXPORT, REWRITE, CONVERT, KERAS, OPENVINO, QUANTIZE, TUNE, EVALUATE, COMPARE),
)
FOLDER = Path(sources.__file__).parent
MODULES = {
    ".".join((LIBRARY, *path.relative_to(FOLDER).with_suffix("").parts))
    for path in FOLDER.rglob("*.py")
    if path.name != "__init__.py"
}


def closure(stage: Stage[Any]) -> set[str]:
    return set(source_files(stage.run.__module__))


def is_infrastructure(name: str) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in INFRASTRUCTURE)


class Package:
    """A package with a stage, whose modules can be written anew; each key sees them as they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("__init__", "")
        self.write("stage", "def measure(job, config): ...\n")
        self.write("helper", "")

    def write(self, module: str, text: str) -> None:
        path = self.folder.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def key(self) -> str:
        source_files.cache_clear()
        sources._graph.cache_clear()
        run = import_module("measuring.stage").measure
        return Stage[Report](name="measure", run=run).key(Evaluation())

    def names(self) -> set[str]:
        self.key()
        return set(source_files("measuring.stage"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(tmp_path)
    yield Package(tmp_path / "measuring")
    for name in [name for name in sys.modules if name.partition(".")[0] == "measuring"]:
        del sys.modules[name]
    source_files.cache_clear()
    sources._graph.cache_clear()


@pytest.mark.parametrize(
    "text",
    [
        "from measuring import helper\ndef measure(job, config): ...\n",
        "def measure(job, config):\n    import measuring.helper\n",
        "def measure(job, config):\n    run_python('tool', 'measuring.helper', [])\n",
        "from importlib import import_module\ndef measure(job, config):\n"
        '    import_module("measuring.helper")\n',
    ],
    ids=["at the top", "inside a function", "a worker by its name", "by importlib"],
)
def test_an_import_that_is_added_to_a_stage_changes_its_key_and_its_target_belongs_to_it(
    package: Package, text: str
) -> None:
    before = package.key()
    package.write("helper", "VALUE = 1\n")
    assert package.key() == before  # nobody looks at it
    package.write("stage", text)
    imported = package.key()
    package.write("helper", "VALUE = 2\n")
    assert len({before, imported, package.key()}) == 3


def test_what_is_imported_by_what_is_imported_belongs_to_a_stage_in_a_circle_too(
    package: Package,
) -> None:
    package.write("stage", "from measuring import helper\ndef measure(job, config): ...\n")
    package.write("helper", "from measuring.far import away\n")
    package.write("far.away", "from measuring import stage\nNAME = 'measuring.far.worker'\n")
    package.write("far.worker", "")
    package.write("far.__init__", "")
    package.write("far.stranger", "")
    assert package.names() == {
        *("measuring.stage", "measuring.helper", "measuring.far", "measuring.far.away"),
        "measuring.far.worker",
    }


def test_the_file_of_a_package_belongs_to_a_module_inside_but_not_what_it_imports_for_others(
    package: Package,
) -> None:
    package.write("stage", "import measuring.far.away\ndef measure(job, config): ...\n")
    package.write("far.away", "")
    package.write("far.__init__", "from measuring.far import shown\n")
    package.write("far.shown", "")
    assert package.names() == {"measuring.stage", "measuring.far", "measuring.far.away"}
    package.write("stage", "import measuring.far\ndef measure(job, config): ...\n")
    assert package.names() == {"measuring.stage", "measuring.far", "measuring.far.shown"}


def test_what_only_a_type_checker_imports_does_not_belong_to_a_stage(package: Package) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import measuring.helper\n"
    package.write("stage", f"{text}def measure(job, config): ...\n")
    assert package.names() == {"measuring.stage"}


def test_a_stage_outside_the_library_has_what_it_uses_of_it_without_the_infrastructure(
    package: Package,
) -> None:
    text = "import mmdet2tflite.geometry, mmdet2tflite.store.store, mmdet2tflite.processes.machine"
    package.write("stage", f"{text}\ndef measure(job, config): ...\n")
    assert package.names() == {"measuring.stage", "mmdet2tflite.geometry"}


def test_a_stage_in_no_package_has_the_text_of_its_own_file_alone() -> None:
    def measure(job: Job, config: Evaluation) -> Report: ...

    origin = Stage[Report](name="measure", run=measure).origin(Evaluation(), {})
    assert origin["sources"] == {__name__: file_sha256(Path(__file__))}


@pytest.fixture
def edit(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Another content of a module of the library, as far as keys see."""

    def edit(module: str) -> None:
        name = FOLDER.parent.joinpath(*module.split("."))
        changed = name / "__init__.py" if name.is_dir() else name.with_suffix(".py")
        assert changed.is_file()
        digests = {changed: "changed"}
        monkeypatch.setattr(sources, "file_sha256", lambda p: digests.get(p) or file_sha256(p))

    return edit


def check_each_changes(
    edit: Callable[[str], None], stage: Stage[Any], config: Any, *modules: str
) -> None:
    keys = {stage.key(config)}
    for module in modules:
        edit(f"{LIBRARY}.{module}")
        keys.add(stage.key(config))
    assert len(keys) == 1 + len(modules)


def test_a_graph_is_rewritten_anew_when_what_compares_it_with_the_original_changes(edit) -> None:
    modules = (
        *("parity.parity", "parity.check", "runtime.runners", "runtime.images"),
        *("runtime.decode", "runtime.decode.nms", "graph.rewrite", "graph.rewrite_worker"),
        "graph.rewrite_request",
        *("graph.strategies.mirror", "graph.passes.pads", "graph.rotation.rules_windows"),
    )
    config = RewriteConfig(padding="mirror", tolerance=1e-4)
    check_each_changes(edit, REWRITE, config, *modules)


def test_a_network_is_trained_anew_when_what_reads_weights_from_onnx_changes(edit) -> None:
    modules = (
        *("graph.canonical", "graph.passes.focus", "graph.model_file", "graph.edit"),
        *("runtime.images", "runtime.decode.preprocess", "detector.train", "detector.train_worker"),
        *("detector.launch", "detector.config_file", "detector.schedule"),
    )
    check_each_changes(
        edit, TRAIN, TrainConfig(detector=DetectorConfig(), training=Training()), *modules
    )


def test_a_graph_is_converted_anew_when_what_finishes_and_checks_the_file_changes(edit) -> None:
    modules = (
        *(
            "tflite.census",
            "graph.verify",
            "convert.samples",
            "convert.finish_tflite",
            "convert.convert",
        ),
        *("convert.check", "convert.check_worker", "backends.converted"),
        *("convert.identify_worker", "convert.converters.ir_worker", "runtime.passport"),
    )
    config = ConvertConfig(converter="onnx2tf", tolerance=1e-4)
    check_each_changes(edit, CONVERT, config, *modules)


def test_a_model_is_measured_anew_when_what_writes_its_report_changes(edit) -> None:
    modules = (
        *("evaluate.evaluate", "evaluate.worker", "evaluate.request", "evaluate.latency"),
        *("backends.keras_runner", "detector.torch_runner", "safe_text"),
    )
    check_each_changes(edit, EVALUATE, Evaluation(), *modules)


@pytest.mark.parametrize("module", ["store.store", "processes.child", "stage", "config.experiment"])
def test_the_infrastructure_makes_nothing_anew(edit, module: str) -> None:
    before = EXPORT.key(Export()), EVALUATE.key(Evaluation())
    edit(f"{LIBRARY}.{module}")
    assert (EXPORT.key(Export()), EVALUATE.key(Evaluation())) == before


def test_a_conversion_does_not_depend_on_what_runs_the_network_before_it() -> None:
    before = {name for name in MODULES if name.startswith(f"{LIBRARY}.detector.")}
    assert before
    assert not before & (closure(CONVERT) | closure(KERAS) | closure(REWRITE))


def test_each_infrastructure_is_there_has_a_reason_and_is_in_no_key() -> None:
    for name, reason in INFRASTRUCTURE.items():
        place = FOLDER.parent.joinpath(*name.split("."))
        assert place.is_dir() or place.with_suffix(".py").is_file(), name
        assert len(reason.split()) > 5
    assert not any(is_infrastructure(name) for stage in STAGES for name in closure(stage))


def test_every_worker_belongs_to_a_stage_but_those_of_commands_that_store_nothing() -> None:
    workers = {name for name in MODULES if name.endswith("worker")}
    without_key = {
        *("detector.preview_worker", "detector.marks_worker"),
        *("convert.run_worker", "quantize.file_worker"),
    }
    reached = set.union(*map(closure, STAGES))
    assert workers - reached == {f"{LIBRARY}.{name}" for name in without_key}


@pytest.mark.parametrize(
    ("stage", "worker"),
    [
        (DATASET, None),
        (REWRITE, "mmdet2tflite.graph.rewrite_worker"),
        (QUANTIZE, "mmdet2tflite.quantize.quantize_worker"),
        (TUNE, "mmdet2tflite.quantize.tuning.tune_worker"),
        (COMPARE, None),
    ],
)
def test_all_that_python_loads_for_a_stage_and_its_worker_belongs_to_it(stage, worker) -> None:
    names = [stage.run.__module__, *([worker] if worker else [])]
    script = f"import sys, {', '.join(names)}\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name for name in ran.stdout.split() if name.startswith(f"{LIBRARY}.")}
    used = {name for name in loaded if not is_infrastructure(name)}
    beside = set(source_files(f"{LIBRARY}.runtime"))  # what a package's file imports for others
    by_infrastructure = ("files", "files.disk", "files.digest", "safe_text")
    assert used - closure(stage) <= beside | {f"{LIBRARY}.{name}" for name in by_infrastructure}
