"""Child process: gives a converted file's outputs the names of the ONNX.

Arguments: the ONNX file, the TFLite file that was made of it, and the one to write.
"""

import sys
from pathlib import Path

import onnx_ir as ir

from mmdet2tflite.convert.identify import identify_outputs
from mmdet2tflite.convert.samples import noise
from mmdet2tflite.convert.tflite_file import output_tensors, rename_outputs
from mmdet2tflite.graph.edit import shape_of
from mmdet2tflite.graph.rewriting import NOT_ROTATED
from mmdet2tflite.graph.verify import RewrittenRunner
from mmdet2tflite.runtime.runners import TfliteRunner
from mmdet2tflite.tflite.flatbuffer import read_model, write_model

THREADS = 2


def main() -> None:
    """Run both files on one seeded input, and write the named one. Raises ModelError."""
    onnx, converted, target = (Path(argument) for argument in sys.argv[1:])
    graph, file = ir.load(onnx), read_model(converted)
    sample = noise(shape_of(graph.graph.inputs[0])).inputs[:1]
    invented = [tensor.name for tensor in output_tensors(file)]
    expected = RewrittenRunner(graph, NOT_ROTATED).infer(sample)
    found = TfliteRunner(converted, invented, THREADS, xnnpack=True, nhwc=()).infer(sample)
    rename_outputs(file, identify_outputs(expected, found))
    write_model(file, target)


if __name__ == "__main__":
    main()
