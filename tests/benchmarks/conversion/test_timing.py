"""The child that times: which model takes part in which series, and that all of them really run."""

from pathlib import Path

import pytest

from benchmarks.conversion import timing_worker
from benchmarks.conversion.entry import Entry
from benchmarks.conversion.timing import SERIES, Protocol, Rounds, Series, time_entries
from benchmarks.conversion.timing_worker import choose_kernel_set
from mmdet2tflite.backends.table import BACKENDS
from mmdet2tflite.errors import ModelError
from mmdet2tflite.stage import Job
from mmdet2tflite.store.store import Store
from tests.evaluate.constant_network import onnx_model, tflite_model, write_data
from tests.store.building import change

QUICK = Protocol(rounds=2, warmup=1, runs=1)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def entries(store, write_onnx, write_tflite) -> list[Entry]:
    tflite = store.build("tflite", "t", lambda work: tflite_model(write_tflite, work), origin={})
    onnx = store.build("onnx", "o", lambda work: onnx_model(write_onnx, work), origin={})
    return [
        Entry(name="a file", command="", model=tflite),
        Entry(name="failed", command="", failure="it failed"),
        Entry(name="a graph", command="", model=onnx),
    ]


@pytest.fixture
def image(tmp_path) -> Path:
    write_data(tmp_path)
    return tmp_path / "1.png"


def test_series_are_named_after_engine_and_threads():
    names = ["1 thread", "2 threads", "builtin, 1 thread"]
    assert [series.name for series in SERIES] == names
    assert Series(threads=2, builtin=True).name == "builtin, 2 threads"


def test_the_usual_engine_of_a_runtime_is_timed_and_the_builtin_kernels_where_there_are_any():
    kernel_sets = BACKENDS["tflite"].kernel_sets
    assert choose_kernel_set(kernel_sets, builtin=False) == "xnnpack"
    assert choose_kernel_set(kernel_sets, builtin=True) == "builtin"
    assert choose_kernel_set(BACKENDS["onnx"].kernel_sets, builtin=False) == "onnxruntime"
    assert choose_kernel_set(BACKENDS["onnx"].kernel_sets, builtin=True) is None


def test_every_model_has_a_value_for_every_round_of_its_series(store, entries, image, own_lock):
    seen = []
    rounds = time_entries(store, entries, image, QUICK, 120, seen.append)
    both, one = {"a file": 2, "a graph": 2}, {"a file": 2}
    assert {name: {k: len(v) for k, v in found.items()} for name, found in rounds.items()} == {
        "1 thread": both,
        "2 threads": both,
        "builtin, 1 thread": one,
    }
    assert all(v > 0 for found in rounds.values() for values in found.values() for v in values)
    assert [message["description"] for message in seen if message["completed"] == 2] == list(rounds)


def test_threads_and_engine_are_those_of_the_series(store, entries, image, own_lock, monkeypatch):
    opened = []

    class Runner:
        def bind(self, tensor):
            return lambda: None

    def open_model(model, folder, kernel_set, threads):
        assert (folder / model.file).exists()
        opened.append((kernel_set, threads))
        return Runner()

    class Backend:
        def __init__(self, kernel_sets):
            self.kernel_sets, self.open = kernel_sets, open_model

    monkeypatch.setattr(Job, "ask", ask_here)
    stand_ins = {kind: Backend(backend.kernel_sets) for kind, backend in BACKENDS.items()}
    monkeypatch.setattr(timing_worker, "BACKENDS", stand_ins)
    time_entries(store, entries, image, QUICK, 1, lambda message: None)
    assert opened == [
        ("xnnpack", 1),
        ("onnxruntime", 1),
        ("xnnpack", 2),
        ("onnxruntime", 2),
        ("builtin", 1),
    ]


def test_a_model_that_does_not_load_ends_the_benchmark_with_its_name(
    store, entries, image, own_lock
):
    model = entries[0].model
    change(store, model, lambda folder: (folder / model.file).write_bytes(b"1234TFL3"))
    with pytest.raises(ModelError, match="does not load in LiteRT"):
        time_entries(store, entries, image, QUICK, 120, lambda message: None)


def ask_here(job, tool, worker, request, result, **_: object) -> Rounds:
    """The child's work in this process."""
    return timing_worker.time_all(request)
