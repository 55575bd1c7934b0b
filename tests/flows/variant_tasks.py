"""Tasks that stand in for those of the matrix: they make nothing, in threads as Prefect would."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product

import pytest
from prefect.exceptions import UpstreamTaskError

from mmdet2tflite.artifacts import (
    Dataset,
    KerasModel,
    OnnxModel,
    Report,
    RewrittenModel,
    Split,
    TfliteModel,
)
from mmdet2tflite.config.dataset import DigitsData
from mmdet2tflite.config.experiment import Experiment, Training, Variants
from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head, Preprocessing, Rotation
from mmdet2tflite.processes.interruption import check_interruption, interruptible

STRATEGIES = ("widen", "explicit", "mirror")
CONVERTERS = ("openvino", "onnx2tf")
PRECISIONS = ("float32", "int8", "float16")
ALL = tuple(product(STRATEGIES, CONVERTERS, PRECISIONS))
SECONDS = 10
"""After which a test that waits for another thread has failed."""
HEAD = Head(
    family="yolox",
    classes=("cat",),
    strides=(8,),
    score_threshold=0.01,
    nms_iou=0.65,
    max_detections=100,
)
PICTURE = Preprocessing(width=32, height=32)
ONNX = OnnxModel(head=HEAD, preprocessing=PICTURE, outputs=(), opset=13)
REPORT = Report(runtime="onnxruntime", variant="ONNX", model="")
SPLIT = Split(annotations="", image_root="", images=0, boxes=0, images_digest="")
DATASET = Dataset(classes=("cat",), train=SPLIT, val=SPLIT)
MIRROR = Variants(padding=("mirror",), precisions=PRECISIONS)
MATRIX = Variants(padding=STRATEGIES, converters=CONVERTERS, precisions=PRECISIONS)


def experiment(variants: Variants, **training: object) -> Experiment:
    return Experiment(
        name="test",
        dataset=DigitsData(kind="digits"),
        variants=variants,
        training=Training.model_validate(training),
    )


class Promise:
    """A future as Prefect has them."""

    def __init__(self, future: Future) -> None:
        self._future = future

    def wait(self) -> None:
        self._future.exception()

    def result(self) -> object:
        return self._future.result()


class Task:
    """A task as Prefect has them: what needs a result waits for it, and fails without it."""

    def __init__(self, function: Callable[..., object], threads: ThreadPoolExecutor) -> None:
        self._function, self._threads = function, threads

    def __call__(self, *args: object) -> object:
        return self._function(*args)

    def submit(self, *args: object) -> Promise:
        return Promise(self._threads.submit(self._run, *args))

    def _run(self, *args: object) -> object:
        return self._function(*[_resolved(value) for value in args])


def _resolved(value: object) -> object:
    if not isinstance(value, Promise):
        return value
    try:
        return value.result()
    except Exception as error:
        raise UpstreamTaskError(str(error)) from error


def rewrite(setup: Experiment, onnx: OnnxModel, dataset: Dataset, padding: str) -> RewrittenModel:
    return RewrittenModel(
        head=HEAD,
        preprocessing=PICTURE,
        outputs=(),
        strategy="explicit" if padding == "auto" else padding,
        exact=True,
        pads=0,
        rotation=Rotation(),
        upright=True,
    )


def convert(
    setup: Experiment, model: RewrittenModel, onnx: OnnxModel, dataset: Dataset, converter: str
) -> TfliteModel:
    return TfliteModel(
        head=HEAD,
        preprocessing=PICTURE,
        outputs=(),
        strategy=model.strategy,
        exact=True,
        converter=converter,
        precision="float32",
    )


def to_keras(
    setup: Experiment, model: RewrittenModel, onnx: OnnxModel, dataset: Dataset, file_format: str
) -> KerasModel:
    return KerasModel(
        file=file_format,
        head=HEAD,
        preprocessing=PICTURE,
        outputs=(),
        strategy=model.strategy,
        exact=model.exact,
        converter="onnx2tf",
        format=file_format,
    )


def quantise(setup: Experiment, model: TfliteModel, dataset: Dataset, name: str) -> TfliteModel:
    assert (model.precision, dataset) == ("float32", DATASET)
    assert name != "float32"
    return model.model_copy(update={"precision": name})


def tune(
    setup: Experiment, model: TfliteModel, teacher: TfliteModel, dataset: Dataset
) -> TfliteModel:
    assert (teacher.precision, dataset) == ("float32", DATASET)
    assert (teacher.strategy, teacher.converter) == (model.strategy, model.converter)
    return model.model_copy(update={"metrics": {"tuned": 1.0}})


def measure(
    setup: Experiment,
    model: TfliteModel,
    dataset: Dataset,
    source: Report,
    float32: Report | None = None,
) -> Report:
    assert (dataset, source) == (DATASET, REPORT)
    return Report(runtime="litert", variant=model.variant, model="")


def refuse(*_: object) -> None:
    raise ModelError("it cannot be done")


@contextmanager
def runner(setup: Experiment) -> Iterator[None]:
    """Waits at its end for what runs: in vain, if that has not been told of an interruption."""
    try:
        with interruptible():
            yield
    except KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            check_interruption()
        raise
