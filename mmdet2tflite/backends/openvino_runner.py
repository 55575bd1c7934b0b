"""OpenVINO on the CPU, and what its graphs consist of."""

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mmdet2tflite.errors import ModelError
from mmdet2tflite.runtime.decode import Floats

NO_OPERATORS = ("Const", "Parameter", "Result")


class OpenvinoRunner:
    """OpenVINO on the CPU, in float32 whatever the processor could do faster.

    Args:
        path: the ``.xml``; its weights lie beside it.
        outputs: names of the outputs.
        threads: of one inference.

    Raises:
        ModelError: the file does not load, has not exactly one input, or lacks an output.
    """

    def __init__(self, path: Path, outputs: Sequence[str], threads: int) -> None:
        import openvino

        self._tensor = openvino.Tensor
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        try:
            model = openvino.Core().compile_model(path, "CPU", settings)
            self._outputs = {name: model.output(name) for name in outputs}
        except RuntimeError as error:
            raise ModelError(
                f"{path} does not load in OpenVINO: {error}",
                f"a file that it can run, with the outputs {', '.join(outputs)}",
            ) from error
        if len(model.inputs) != 1:
            raise ModelError(f"{path} has {len(model.inputs)} inputs", "one input, the image")
        self._request = model.create_infer_request()

    def infer(self, tensor: Floats) -> dict[str, Floats]:
        """Raw outputs by name."""
        self.bind(tensor)()
        get = self._request.get_tensor
        return {name: get(output).data.copy() for name, output in self._outputs.items()}

    def bind(self, tensor: Floats) -> Callable[[], object]:
        """Set the input; the function runs the model without any copying."""
        value = np.ascontiguousarray(tensor)
        self._request.set_input_tensor(self._tensor(value, shared_memory=True))
        return lambda: self._request.infer(share_outputs=True)


def ir_ops(path: Path) -> Counter[str]:
    """Operators of an OpenVINO graph (``.xml``) and of its subgraphs.

    Raises:
        ModelError: this is not such a file.
    """
    try:
        layers = ElementTree.parse(path).iter("layer")
    except ElementTree.ParseError as error:
        raise ModelError(
            f"{path} is not an OpenVINO graph: {error}", "an .xml that ovc wrote"
        ) from None
    kinds = Counter(layer.attrib["type"] for layer in layers)
    return Counter({kind: n for kind, n in kinds.items() if kind not in NO_OPERATORS})
