"""Child process: gives a converted file's outputs the names of the ONNX.

Arguments: the ONNX file, the TFLite file that was made of it, and the one to write.
"""

import sys
from pathlib import Path

import onnx_ir as ir

from mmdet2tflite.convert.identify import identify_outputs
from mmdet2tflite.convert.samples import Array, noise
from mmdet2tflite.convert.tflite_file import channels_last, rename_outputs
from mmdet2tflite.graph.rewriting import NOT_ROTATED
from mmdet2tflite.graph.verify import RewrittenRunner
from mmdet2tflite.runtime.litert import run_tflite
from mmdet2tflite.tflite.flatbuffer import read_model, write_model

THREADS = 2


def main() -> None:
    """Run both files on one seeded input, and write the named one. Raises ModelError."""
    onnx, converted, target = (Path(argument) for argument in sys.argv[1:])
    graph, file = ir.load(onnx), read_model(converted)
    (sample,) = noise(graph.graph.inputs, count=1).feeds
    expected = RewrittenRunner(graph, NOT_ROTATED).run(sample)
    batch = {name: _channels_last(value)[None] for name, value in sample.items()}
    outputs = run_tflite(converted, batch, THREADS)
    found = {name: value[0] for name, value in outputs.items()}
    rename_outputs(file, identify_outputs(expected, found))
    write_model(file, target)


def _channels_last(value: Array) -> Array:
    return value.transpose(channels_last(value.ndim))


if __name__ == "__main__":
    main()
