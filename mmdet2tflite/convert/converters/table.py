"""The converters. A new one is one file here and one line below."""

from mmdet2tflite.config.names import ConverterName
from mmdet2tflite.convert.converters import onnx2tf, openvino
from mmdet2tflite.convert.converters.converter import Converter

CONVERTERS: dict[ConverterName, Converter] = {
    "onnx2tf": Converter(onnx2tf.convert, onnx2tf.TOOLS, onnx2tf.warm),
    "onnx2tf_tensorflow": Converter(
        onnx2tf.convert_by_tensorflow, (*onnx2tf.TOOLS, "tensorflow", "tf-keras")
    ),
    "openvino": Converter(openvino.convert, openvino.TOOLS),
}
