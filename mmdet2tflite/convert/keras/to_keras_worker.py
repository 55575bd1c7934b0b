"""Child process: ONNX → a Keras file or a SavedModel by onnx2tf's TensorFlow back end.

What onnx2tf returns is wrapped:

1. Where ``undone`` says so, the input is rotated by 180° before the network and the maps behind it.
   Rotations move values and compute nothing.
2. Every output comes from a layer with the ONNX output's name, in the order of the ONNX.

An ``.h5`` is a functional Keras 2 model. A SavedModel has one signature, ``serving_default``, that
takes the image by the input's name and returns the outputs by theirs.

onnx2tf could save both itself: without the rotations, and with four TFLite files made on the way.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx2tf
import onnx_ir as ir
import tensorflow as tf
import tf_keras

from mmdet2tflite.backends.keras_runner import SIGNATURE
from mmdet2tflite.convert.keras.normalise import normalise_for_tensorflow
from mmdet2tflite.convert.requests import KerasRequest
from mmdet2tflite.convert.tflite_file import describe_output, match_outputs
from mmdet2tflite.passport import Rotation, Tensor, TfliteOutput
from mmdet2tflite.processes.messages import answer

NHWC_AXES = (1, 2)
AXES = {"nhwc": NHWC_AXES, "onnx": (2, 3)}
"""Height and width of an output."""


def convert(request: KerasRequest) -> list[TfliteOutput]:
    """Write the file; return its outputs. Raises ModelError."""
    graph = ir.load(request.onnx)
    normalise_for_tensorflow(graph)
    request.scratch.mkdir()
    normalised = request.scratch / "spelt.onnx"
    ir.save(graph, normalised)
    network = onnx2tf.convert(
        input_onnx_file_path=str(normalised),
        output_folder_path=str(request.scratch),
        tflite_backend="tf_converter",
        # The graph is canonical already, and optimisers undo padding strategies.
        not_use_onnxsim=True,
        disable_model_save=True,
        non_verbose=True,
    )
    model, outputs = wrap_network(network, request.outputs, request.undone)
    save(model, request.file)
    return outputs


def wrap_network(
    network: Any, expected: Sequence[Tensor], rotation: Rotation
) -> tuple[Any, list[TfliteOutput]]:
    """Wrap a Keras model by the rules above.

    Args:
        expected: names and shapes in the ONNX (N x C x H x W), in its order.
        rotation: what is rotated by 180°.

    Returns:
        The Keras model, and its outputs with the shapes that they have there.

    Raises:
        ModelError: an output cannot be identified.
    """
    found = {
        name: Tensor(name=name, shape=tuple(output.shape))
        for name, output in zip(network.output_names, network.outputs, strict=True)
    }
    names = match_outputs(expected, list(found.values()))
    outputs = [describe_output(output, found[names[output.name]]) for output in expected]
    source = network.inputs[0]
    image = tf_keras.Input(
        batch_shape=source.shape, dtype=source.dtype, name=network.input_names[0]
    )
    rotated = tf.reverse(image, NHWC_AXES) if rotation.input else image  # rule 1
    values = dict(zip(network.output_names, tf.nest.flatten(network(rotated)), strict=True))
    named = []
    for output in outputs:
        value = values[names[output.name]]
        if output.name in rotation.outputs:  # rule 1
            value = tf.reverse(value, AXES[output.layout])
        named.append(tf_keras.layers.Activation("linear", name=output.name)(value))  # rule 2
    return tf_keras.Model(image, named), outputs


def save(model: Any, path: Path) -> None:
    """Write an ``.h5`` file, or a SavedModel into a folder of any other name."""
    if path.suffix == ".h5":
        model.save(path, save_format="h5")
        return
    source = model.inputs[0]
    spec = tf.TensorSpec(source.shape, source.dtype, name=model.input_names[0])

    @tf.function(input_signature=[spec])
    def serve(image: Any) -> dict[str, Any]:
        return dict(zip(model.output_names, tf.nest.flatten(model(image)), strict=True))

    # Saved as a Keras model it would hold a traced function for each of its layers: ten times the
    # size, and minutes.
    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(path), signatures={SIGNATURE: serve})


if __name__ == "__main__":
    answer(convert, KerasRequest)
