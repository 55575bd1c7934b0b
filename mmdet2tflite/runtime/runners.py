"""One protocol for every backend: a tensor in, the head's raw outputs by name out, all NCHW."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import HowToRun
from mmdet2tflite.runtime.decode import Detections, Floats
from mmdet2tflite.runtime.images import input_tensor
from mmdet2tflite.runtime.litert import (
    dequantise,
    does_not_load,
    invoke,
    open_interpreter,
    quantise,
)

if TYPE_CHECKING:  # a child that only runs a file starts a second earlier without pydantic
    from mmdet2tflite import artifacts


WRONG_OPTIMISERS = ("Pad_Fusion",)
"""Of ONNX Runtime (1.26): this one gives poolings pads as large as their kernels, which it then
refuses to load."""


class Runner(Protocol):
    """A model loaded into a backend with a fixed number of threads."""

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Raw head outputs (1 x C x H x W) by name, for an input of 1 x 3 x H x W."""
        ...

    def bind(self, tensor: Floats) -> Callable[[], object]:
        """A function that runs the model on this input and does nothing else, to be timed."""
        ...


@runtime_checkable
class RunnerWithDecoder(Protocol):
    """A runner with a decoder and NMS of its own, which are then the ones to evaluate."""

    def predict(self, image: Path) -> Detections:
        """Detections in pixels of the image."""
        ...


class OnnxRunner:
    """ONNX Runtime on the CPU.

    Args:
        model: a file, or the content of one.
        threads: for the kernels.
        fastest: with its layout optimiser, to be timed. By default without, as what others are
            compared with: for maps of 8 or 16 channels it computes an average pooling with
            ``ceil_mode`` that counts its padding wrongly (ONNX Runtime 1.26; PyTorch's
            ``AvgPool2d`` and ONNX's reference implementation agree on another number).

    Raises:
        ModelError: the file does not load; ``infer`` and ``bind``: it has not exactly one input.
    """

    def __init__(self, model: Path | bytes, threads: int, fastest: bool = False) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = (
            level.ORT_ENABLE_ALL if fastest else level.ORT_ENABLE_EXTENDED
        )
        self._path = model if isinstance(model, Path) else Path("the model")
        try:
            self._session = onnxruntime.InferenceSession(
                model,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=[] if fastest else list(WRONG_OPTIMISERS),
            )
        except Exception as error:  # onnxruntime's errors have no common base class of their own
            raise does_not_load(self._path, "ONNX Runtime", error) from error
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._outputs = [value.name for value in self._session.get_outputs()]

    def run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name, for inputs by name."""
        try:
            values = self._session.run(self._outputs, feed)
        except Exception as error:  # as above
            raise ModelError(
                f"{self._path} does not run in ONNX Runtime: {error}",
                "a model that runs",
                "check the sizes that were given, and that the model runs where it comes from",
            ) from error
        return dict(zip(self._outputs, values, strict=True))

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Raw head outputs by name."""
        return self.run({_only(self._inputs, self._path): tensor})

    def bind(self, tensor: Floats) -> Callable[[], object]:
        """A function that runs the session."""
        feed = {_only(self._inputs, self._path): tensor}
        return lambda: self._session.run(self._outputs, feed)


class TfliteRunner:
    """LiteRT on the CPU, through the XNNPACK delegate or by its builtin kernels alone.

    The file's input and outputs are NHWC. Integer inputs and outputs are (de)quantised here.

    Args:
        path: the file.
        outputs: names of the output tensors; the file's own order means nothing.
        threads: for the kernels and the delegate.
        xnnpack: False leaves out the delegate that LiteRT applies by default.
        nhwc: the outputs that are NHWC in the file; by default all of rank 4.
        honour_flags: run the file on the reference backend (docs/engine-flag.md).

    Raises:
        ModelError: the file does not load, has not exactly one input, or lacks an output.
    """

    def __init__(
        self,
        path: Path,
        outputs: Sequence[str],
        threads: int,
        xnnpack: bool,
        nhwc: Collection[str] | None = None,
        honour_flags: bool = False,
    ) -> None:
        self._path = path
        self._interpreter = open_interpreter(path, threads, xnnpack, honour_flags)
        self._input = _only(self._interpreter.get_input_details(), path)
        details = {detail["name"]: detail for detail in self._interpreter.get_output_details()}
        missing = [name for name in outputs if name not in details]
        if missing:
            raise ModelError(
                f"{path} has the outputs {', '.join(details)}",
                f"outputs named {', '.join(missing)}",
                "convert the model again with this version",
            )
        self._outputs = {name: details[name] for name in outputs}
        ranks = {name: len(detail["shape"]) for name, detail in self._outputs.items()}
        self._nhwc = [name for name in (outputs if nhwc is None else nhwc) if ranks[name] == 4]

    def check_shapes(self, stated: Mapping[str, Sequence[int]]) -> None:
        """Compare with what the file has: by output's name, "" stands for the input.

        Raises:
            ModelError: they differ.
        """
        for name, shape in stated.items():
            detail = self._outputs[name] if name else self._input
            found = [int(side) for side in detail["shape"]]
            if found != list(shape):
                raise ModelError(
                    f"{self._path}: {name or 'the input'} has the shape {found}, the passport "
                    f"says {list(shape)}",
                    "a passport that belongs to the file",
                    "convert the model again",
                )

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Raw outputs by name, maps as NCHW, and float32 whatever the file has."""
        invoke(self.bind(tensor), self._path)
        return {name: self._read(name, detail) for name, detail in self._outputs.items()}

    def bind(self, tensor: Floats) -> Callable[[], object]:
        """Set the input; the function invokes the interpreter, without any copying."""
        value = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))
        try:
            self._interpreter.set_tensor(self._input["index"], quantise(value, self._input))
        except ValueError as error:
            raise ModelError(
                f"{self._path} takes no input of {list(value.shape)}: {error}",
                "the input size that its passport says",
                "convert the model again",
            ) from error
        return self._interpreter.invoke

    def _read(self, name: str, detail: Mapping[str, Any]) -> Floats:
        value = dequantise(self._interpreter.get_tensor(detail["index"]), detail)
        return np.ascontiguousarray(value.transpose(0, 3, 1, 2)) if name in self._nhwc else value


def open_tflite(
    model: "artifacts.TfliteModel | HowToRun",
    path: Path,
    threads: int,
    xnnpack: bool,
) -> Runner:
    """The file as its passport says that it must be run: rotated, or with its flags honoured.

    Raises:
        ModelError: as ``TfliteRunner``; or the shapes of the file are others.
    """
    runner = TfliteRunner(
        path,
        [output.name for output in model.outputs],
        threads,
        xnnpack,
        nhwc=[output.name for output in model.outputs if output.layout == "nhwc"],
        honour_flags=model.strategy == "engine",
    )
    shapes = {output.name: output.shape for output in model.outputs}
    if model.preprocessing:
        shapes[""] = (1, model.preprocessing.height, model.preprocessing.width, 3)
    runner.check_shapes(shapes)
    return RotatedRunner(runner, model.rotation.outputs) if model.rotation.input else runner


def sample_of(model: "artifacts.TfliteModel", image: Path) -> Floats:
    """An image as the file itself wants it: 1 x H x W x 3, rotated if its images are.

    Raises:
        DataError: it cannot be read.
    """
    tensor, _ = input_tensor(image, model.preprocessing)
    return (rotate_180(tensor) if model.rotation.input else tensor).transpose(0, 2, 3, 1)


class RotatedRunner:
    """Runs a model whose input and some of whose outputs are rotated by 180° as if none were.

    Args:
        runner: runs the model itself.
        rotated_outputs: names of the outputs that come out rotated; the input always is.
    """

    def __init__(self, runner: Runner, rotated_outputs: Collection[str]) -> None:
        self._runner, self._rotated = runner, rotated_outputs

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Raw head outputs by name, rotated back."""
        outputs = self._runner.infer(rotate_180(tensor))
        return {
            n: rotate_180(value) if n in self._rotated else value for n, value in outputs.items()
        }

    def bind(self, tensor: Floats) -> Callable[[], object]:
        """A function that runs the model alone: rotating costs nothing while copying the input."""
        return self._runner.bind(rotate_180(tensor))


def rotate_180(maps: Floats) -> Floats:
    """N x C x H x W rotated by 180°: a view, flipped along height and width."""
    return maps[:, :, ::-1, ::-1]


def _only[T](inputs: Sequence[T], path: Path) -> T:
    if len(inputs) != 1:
        raise ModelError(f"{path} has {len(inputs)} inputs", "one input, the image")
    return inputs[0]
