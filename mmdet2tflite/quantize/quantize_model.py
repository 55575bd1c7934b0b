"""A float32 TFLite model becomes one of another precision, by litert-quantizer.

1. Rotations around the network (``rotate_io``) come off first and are put back at the end: the
   quantiser has no REVERSE_V2, and would leave it in float between DEQUANTIZE and QUANTIZE.
   Meanwhile the network wants its input rotated.
2. Where padding flags stand for the true pads, the ranges are those of the reference backend: the
   model is calibrated with its PADs put back, and quantised without them. Both have the same
   tensors but for the padded ones.
3. The quantiser writes weights behind the flatbuffer; they are brought inside (``parse_model``).
4. Of a mixed precision, the same ranges serve first to find the layers that lose most
   (``layer_mix``); then the file is made without these.
5. Inputs and outputs keep their names: the quantiser calls a float output ``NAME_dequant``, and an
   inner tensor NAME. The inner one is renamed, and flags of it with it.
6. Integer convolutions of few channels read several columns as one (``wide_columns``): quicker, and
   the same to the last bit. So is a rotation of the input behind them (``wide_rotation``), but for
   chips that would compute RESHAPE and convolution, and not the rotation between the two.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.quantize.layer_choice import IMAGES
from mmdet2tflite.quantize.layer_groups import Layer, find_layers
from mmdet2tflite.quantize.layer_mix import Mix, find_mix, leave
from mmdet2tflite.quantize.precisions import Precision, Recipe
from mmdet2tflite.tflite.flatbuffer import DTYPES, free_name, parse_model, serialise
from mmdet2tflite.tflite.padding_flag import put_pads_back, read_flags, write_flags
from mmdet2tflite.tflite.rotation import remove_io_rotations, rotate_io
from mmdet2tflite.tflite.wide_columns import widen_columns
from mmdet2tflite.tflite.wide_rotation import rotate_wide_input

SIGNATURE = "serving_default"
"""Of a file that has none: the quantiser feeds a network by its signature."""
NARROW = ("float16", "int8", "uint8", "int16")
"""Types that only a quantised network computes with."""

type Samples = Iterable[NDArray[np.float32]]
"""Inputs as a file wants them (1 x H x W x C), one at a time."""
type OnLayer = Callable[[int, int], None]
"""Called before a layer is measured: how many have been, how many there are."""


@dataclass(frozen=True)
class Quantised:
    """A finished model.

    Args:
        model: of the precision wanted.
        layers: of the network between its rotations, in their order.
        mix: what was found out for a mixed precision.
    """

    model: schema.ModelT
    layers: list[Layer]
    mix: Mix | None


def quantise_model(
    model: schema.ModelT,
    precision: Precision,
    samples: Samples | None = None,
    on_layer: OnLayer = lambda done, total: None,
) -> Quantised:
    """Make a model of this precision, all else as it was.

    Args:
        model: float32, with one input; changed on the way.
        precision: how.
        samples: at least one, if the precision is calibrated.
        on_layer: for a bar; the layers of a mixed precision take a while.

    Raises:
        ModelError: the model is quantised already, or the quantiser finds nothing to do.
    """
    if _is_quantised(model):
        raise ModelError(
            "the file is quantised already", "a float32 file", "quantise the file it was made of"
        )
    _ensure_signature(model)
    inputs, outputs = remove_io_rotations(model)  # rule 1
    flags = read_flags(model)
    reference = _padded(model) if flags else serialise(model)
    first: list[Any] = []
    statistics = None
    if samples is not None:
        rotated = (sample[:, ::-1, ::-1] if inputs else sample for sample in samples)
        statistics = _calibrate(model, reference, precision, _keep(first, rotated))
        if not statistics:
            raise _nothing_to_do()
    layers, recipe, mix = find_layers(model), precision.recipe(), None
    if precision.mixed:  # rule 4
        make = partial(_quantise, reference, statistics)
        mix = find_mix(reference, layers, first, make, on_layer)
        recipe = leave(recipe, [layer for layer in layers if layer.name in mix.real])
    content = _quantise(serialise(model), statistics, recipe)
    result = parse_model(content, "the quantised file")
    if not _is_quantised(result):
        raise _nothing_to_do()
    renamed = _keep_names(model.subgraphs[0], result.subgraphs[0])
    flags = {renamed.get(name, name): pads for name, pads in flags.items()}
    widen_columns(result, leave=flags, zero_taps=not precision.integers_only)  # rule 6
    if flags:
        write_flags(result, flags)
    behind = inputs and not precision.integers_only and rotate_wide_input(result)  # rule 6
    rotate_io(result, inputs=inputs and not behind, outputs=outputs)
    return Quantised(result, layers, mix)


def _nothing_to_do() -> ModelError:
    return ModelError(
        "the file has no operator that the quantiser could make smaller",
        "a network with convolutions or other weights",
        "leave this precision out",
    )


def _is_quantised(model: schema.ModelT) -> bool:
    types = [tensor.type for graph in model.subgraphs for tensor in graph.tensors]
    return any(type_ in DTYPES and DTYPES[type_].name in NARROW for type_ in types)


def _ensure_signature(model: schema.ModelT) -> None:
    if model.signatureDefs:
        return
    graph = model.subgraphs[0]
    inputs, outputs = (
        [schema.TensorMapT(graph.tensors[index].name, index) for index in indices]
        for indices in (graph.inputs, graph.outputs)
    )
    model.signatureDefs = [schema.SignatureDefT(inputs, outputs, SIGNATURE.encode(), 0)]


def _padded(model: schema.ModelT) -> bytes:
    """Rule 2: the file as the reference backend sees it."""
    padded = parse_model(serialise(model), "the float32 file")
    put_pads_back(padded)
    return serialise(padded)


def _keep(first: list[Any], samples: Samples) -> Iterator[Any]:
    """The samples, of which the first few stay in a list: they can be seen only once."""
    for sample in samples:
        if len(first) < IMAGES:
            first.append(sample)
        yield sample


def _calibrate(model: schema.ModelT, content: bytes, precision: Precision, samples: Samples) -> Any:
    """Ranges by tensor name; ``content`` is the model as it computes."""
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    signature = model.signatureDefs[0]
    key, name = signature.signatureKey.decode(), signature.inputs[0].name.decode()
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(precision.recipe())
    extremes = precision.ranges == "extremes"
    update = qsv_utils.min_max_update if extremes else qsv_utils.moving_average_update
    tool = calibrator.Calibrator(content, num_threads=cores(), qsv_update_func=update)
    for sample in samples:
        # One by one: given all at once, it puts them into a list to count them, which takes the
        # memory of all, and of a generator leaves none.
        with redirect_stderr(StringIO()):  # a progress bar that cannot be switched off
            tool.calibrate({key: [{name: np.ascontiguousarray(sample)}]}, manager)
    return tool.get_model_qsvs()


def _quantise(content: bytes, statistics: Any, recipe: Recipe) -> bytes:
    from litert_quantizer import quantizer

    with redirect_stderr(StringIO()):  # a progress bar that stays in spite of these switches
        result = quantizer.Quantizer(content, recipe).quantize(
            statistics, enable_progress_bar=False, enable_progress_report=False
        )
    return bytes(result.quantized_model)


def _keep_names(before: schema.SubGraphT, after: schema.SubGraphT) -> dict[str, str]:
    """Rule 5, in place; the new name of an inner tensor by its old one."""
    renamed: dict[str, str] = {}
    for old, new in ((before.inputs, after.inputs), (before.outputs, after.outputs)):
        for wanted, index in zip(old, new, strict=True):
            name = before.tensors[wanted].name
            for tensor in after.tensors:
                if tensor.name == name and tensor is not after.tensors[index]:
                    tensor.name = free_name(after, name + b"_quantised")
                    renamed[name.decode()] = tensor.name.decode()
            after.tensors[index].name = name
    return renamed
