"""A float32 TFLite model becomes one of another precision, by litert-quantizer.

1. Rotations around the network (``rotate_io``) come off first and are put back at the end: the
   quantiser has no REVERSE_V2, and would leave it in float between DEQUANTIZE and QUANTIZE.
   Meanwhile the network wants its input rotated.
2. Ranges come from samples (``calibrate``), which may rewrite the float32 model first. With padding
   flags, they are taken with PADs in place of these, and the model is quantised without PADs.
3. The quantiser writes weights behind the flatbuffer; they are brought inside (``parse_model``).
4. What joins unlike ranges at the end stays real (``unlike_ranges``). So do the layers that it
   takes to keep an accuracy budget (``layer_mix``).
5. Inputs and outputs keep their names: the quantiser calls a float output ``NAME_dequant``, and an
   inner tensor NAME. The inner one is renamed, and flags of it with it.
6. Integer convolutions of few channels read several columns as one (``wide_columns``): quicker, and
   the same to the last bit. So is a rotation of the input behind them (``wide_rotation``), but for
   chips that would compute RESHAPE and convolution, and not the rotation between the two.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.quantize.calibrate import Calibrated, as_it_computes, calibrate
from mmdet2tflite.quantize.layer_groups import Layer, find_layers
from mmdet2tflite.quantize.layer_mix import Budget, Mix, find_mix, leave
from mmdet2tflite.quantize.precisions import Precision, Recipe
from mmdet2tflite.quantize.unlike_ranges import Unlike, find_unlike, layers_before, leave_unlike
from mmdet2tflite.tflite.flatbuffer import DTYPES, free_name, parse_model, serialise
from mmdet2tflite.tflite.padding_flag import read_flags, write_flags
from mmdet2tflite.tflite.rotation import Axes, remove_io_rotations, rotate_io
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
        reference: the float32 model with the same tensors, that computes what was given.
        layers: of the network between its rotations, in their order.
        mix: what was found out for a budget.
        unlike: what stays real because it joins unlike ranges.
        scaled: names of the tensors whose channels were scaled.
    """

    model: schema.ModelT
    reference: schema.ModelT
    layers: list[Layer]
    mix: Mix | None = None
    unlike: Sequence[Unlike] = ()
    scaled: Sequence[str] = ()

    @property
    def real(self) -> frozenset[str]:
        """Names of the layers that stay float32."""
        before = layers_before(self.layers, self.unlike)
        joined = {layer.name for layer in self.layers if layer not in before}
        return frozenset(joined | (self.mix.real if self.mix else frozenset()))


def quantise_model(
    model: schema.ModelT,
    precision: Precision,
    samples: Samples | None = None,
    budget: Budget | None = None,
    on_layer: OnLayer = lambda done, total: None,
) -> Quantised:
    """Make a model of this precision, all else as it was.

    Args:
        model: float32, with one input; changed on the way.
        precision: how.
        samples: at least one, if the precision is calibrated.
        budget: that the file has to keep; of an 8-bit precision with real outputs.
        on_layer: for a bar; with a budget, layers take a while.

    Raises:
        ModelError: the model is quantised already, or the quantiser finds nothing to do.
    """
    if _is_quantised(model):
        raise ModelError(
            "the file is quantised already", "a float32 file", "quantise the file it was made of"
        )
    _ensure_signature(model)
    inputs, outputs = remove_io_rotations(model)  # rule 1
    calibrated = Calibrated({}, (), ())
    if samples is not None:
        rotated = (sample[:, ::-1, ::-1] if inputs else sample for sample in samples)
        calibrated = calibrate(model, precision, rotated)
        if not calibrated.statistics:
            raise _nothing_to_do()
    statistics = calibrated.statistics or None
    layers, unlike = find_layers(model), find_unlike(model, statistics, precision.recipe())
    make = _Maker(model, precision, statistics, unlike, inputs, outputs)
    mix = None
    if budget:  # rule 4
        mix = find_mix(
            as_it_computes(model),
            layers_before(layers, unlike),
            calibrated.first,
            make.by_recipe,
            lambda real: budget.loss(make(real)),
            budget.points,
            on_layer,
        )
    result = make([layer for layer in layers if mix and layer.name in mix.real])
    reference = parse_model(as_it_computes(model), "the float32 file")
    rotate_io(reference, inputs=inputs, outputs=outputs)
    return Quantised(result, reference, layers, mix, unlike, calibrated.scaled)


@dataclass(frozen=True)
class _Maker:
    """Makes files of one calibrated model.

    Args:
        model: float32, without the rotations.
        statistics: of its tensors, if they were taken.
        unlike: what stays real in all files.
        inputs, outputs: what ``rotate_io`` takes to put the rotations back.
    """

    model: schema.ModelT
    precision: Precision
    statistics: Any
    unlike: Sequence[Unlike]
    inputs: bool
    outputs: Mapping[str, Axes]

    def __call__(self, real: Sequence[Layer]) -> schema.ModelT:
        """A finished file, with these layers in float32."""
        recipe = leave_unlike(leave(self.precision.recipe(), real), self.unlike)
        content = _quantise(serialise(self.model), self.statistics, recipe)
        result = _finish(self.model, content, self.precision)
        rotates = self.inputs and not self.precision.integers_only
        behind = rotates and rotate_wide_input(result)  # rule 6
        rotate_io(result, inputs=self.inputs and not behind, outputs=self.outputs)
        return result

    def by_recipe(self, recipe: Recipe) -> bytes:
        """The network as the reference backend computes it, of another recipe."""
        content = as_it_computes(self.model)
        return _quantise(content, self.statistics, leave_unlike(recipe, self.unlike))


def _finish(model: schema.ModelT, content: bytes, precision: Precision) -> schema.ModelT:
    """What the quantiser made of the model, with its names and flags, and rule 6."""
    result = parse_model(content, "the quantised file")
    if not _is_quantised(result):
        raise _nothing_to_do()
    renamed = _keep_names(model.subgraphs[0], result.subgraphs[0])
    flags = {renamed.get(name, name): pads for name, pads in read_flags(model).items()}
    widen_columns(result, leave=flags, zero_taps=not precision.integers_only)
    if flags:
        write_flags(result, flags)
    return result


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
