"""TensorFlow on the CPU: Keras files and SavedModels, and what their graphs consist of."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmdet2tflite.errors import ModelError
from mmdet2tflite.runtime.decode import Floats

SIGNATURE = "serving_default"
NO_OPERATORS = ("Const", "Identity", "NoOp", "Placeholder", "InputLayer", "Functional")
"""What names or passes values on."""
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
"""Their attribute ``f`` names a function of the graph's library."""


class KerasRunner:
    """A Keras 2 ``.h5`` file, or the signature ``serving_default`` of a SavedModel.

    Args:
        path: the file, or the SavedModel's folder.
        layouts: by name of each output ``nhwc``, or ``onnx`` where it has the ONNX shape.
        threads: of one operation. TensorFlow takes the number for the whole process, so the first
            runner of a process decides.

    Raises:
        ModelError: the file does not load, has not exactly one input, or lacks an output.
    """

    def __init__(self, path: Path, layouts: Mapping[str, str], threads: int) -> None:
        import tensorflow

        if not tensorflow.config.threading.get_intra_op_parallelism_threads():
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        self._constant, self._layouts = tensorflow.constant, layouts
        load = _load_keras if path.suffix == ".h5" else _load_saved_model
        try:
            self._run, found = load(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ModelError(
                f"{path} does not load in TensorFlow: {error}",
                "a Keras file or a SavedModel with one input, the image",
                "convert the model again with this version",
            ) from error
        missing = [name for name in layouts if name not in found]
        if missing:
            raise ModelError(
                f"{path} has the outputs {', '.join(found)}",
                f"outputs named {', '.join(missing)}",
                "convert the model again with this version",
            )

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Raw outputs by name, maps as NCHW."""
        outputs = self.bind(tensor)()
        return {name: self._read(outputs[name].numpy(), name) for name in self._layouts}

    def bind(self, tensor: Floats) -> Callable[[], Any]:
        """A function that runs the graph."""
        image = self._constant(np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)))
        return lambda: self._run(image)

    def _read(self, value: Floats, name: str) -> Floats:
        if self._layouts[name] == "onnx":
            return value
        return np.ascontiguousarray(value.transpose(0, 3, 1, 2))


type Loaded = tuple[Callable[[Any], Mapping[str, Any]], Collection[str]]
"""A function of the image that returns the outputs by name, and their names."""


def _load_keras(path: Path) -> Loaded:
    import tensorflow as tf
    import tf_keras

    model = tf_keras.models.load_model(path, compile=False)
    (image,) = model.inputs
    names = model.output_names

    @tf.function(input_signature=[tf.TensorSpec(image.shape, image.dtype)])
    def run(image: Any) -> dict[str, Any]:
        return dict(zip(names, tf.nest.flatten(model(image)), strict=True))

    return run, names


def _load_saved_model(path: Path) -> Loaded:
    import tensorflow as tf

    signature = tf.saved_model.load(str(path)).signatures[SIGNATURE]
    (name,) = signature.structured_input_signature[1]

    return lambda image: signature(**{name: image}), list(signature.structured_outputs)


def keras_ops(path: Path) -> Counter[str]:
    """Layers of a Keras ``.h5`` file, or operators of a SavedModel's functions.

    A Keras layer that is one TensorFlow function has that function's name, without the module
    (``convolution``, ``reverse``).

    Raises:
        ModelError: this is no such file.
    """
    try:
        names = list(_layers(path) if path.suffix == ".h5" else _operators(path))
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read: {error}", "a Keras file or a SavedModel"
        ) from error
    return Counter(name for name in names if name not in NO_OPERATORS)


def _layers(path: Path) -> Iterator[str]:
    import h5py

    with h5py.File(path) as file:
        return iter(list(_walk(json.loads(file.attrs["model_config"]))))


def _walk(model: Any) -> Iterator[str]:
    for layer in model["config"]["layers"]:
        if layer["class_name"] == "Functional":
            yield from _walk(layer)
        elif layer["class_name"] == "TFOpLambda":
            yield layer["config"]["function"].rpartition(".")[2]
        elif layer["config"].get("activation") != "linear":  # one that only names an output
            yield layer["class_name"]


def _operators(path: Path) -> Iterator[str]:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    try:
        saved.ParseFromString((path / "saved_model.pb").read_bytes())
    except DecodeError as error:
        raise ValueError(str(error)) from error
    (graph,) = saved.meta_graphs
    functions = {
        function.signature.name: function.node_def for function in graph.graph_def.library.function
    }
    results = graph.signature_def[SIGNATURE].outputs.values()
    wanted = {result.name.partition(":")[0] for result in results}
    return _called([node for node in graph.graph_def.node if node.name in wanted], functions)


def _called(nodes: Iterable[Any], functions: Mapping[str, Any]) -> Iterator[str]:
    """Operators of these nodes and, where one calls a function, of that."""
    for node in nodes:
        if node.op in CALLS:
            yield from _called(functions[node.attr["f"].func.name], functions)
        else:
            yield node.op
