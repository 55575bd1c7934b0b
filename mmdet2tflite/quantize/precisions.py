"""The table of precisions: what litert-quantizer is told to make of a float32 file.

The quantiser is imported when a recipe is asked for, in the child process, and not before.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from mmdet2tflite.config.names import PrecisionName

type Recipe = list[dict[str, Any]]
"""litert-quantizer's ``ModelQuantizationRecipe``."""

BITS = 8
"""Of integer weights, and of activations but for ``int16x8``."""
ALL = ".*"
"""Every operator: recipes address them by a regular expression on the names of their outputs."""

LOOKED_UP = ("GELU", "HARD_SWISH")
"""XNNPACK has no kernels for 8-bit integers of these, and LiteRT's own are slow. Left real between
DEQUANTIZE and QUANTIZE, it makes all three a table of 256 entries (``computed_together``)."""


@dataclass(frozen=True)
class Precision:
    """How a file of one precision is made.

    Args:
        recipe: makes the quantiser's recipe.
        ranges: how those of integer activations are taken from training images: the mean of each
            image's extremes, which spends 256 levels on what is usual and cuts off the rest; or
            the extremes of all, which 65,536 levels can afford. None for real activations.
        bits: of integer activations.
        integers_only: for chips that have nothing else, or nothing else that is quick: no operator
            is left real, and no multiplication is added that only XNNPACK gets for nothing.
    """

    recipe: Callable[[], Recipe]
    ranges: Literal["averages", "extremes"] | None
    bits: int = BITS
    integers_only: bool = False

    @property
    def calibrated(self) -> bool:
        """Whether it takes images to make the file."""
        return self.ranges is not None


def _float16() -> Recipe:
    from litert_quantizer import qtyping, recipe_manager

    half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=half,
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    recipe = recipe_manager.RecipeManager()
    every = qtyping.TFLOperationName.ALL_SUPPORTED
    recipe.add_quantization_config(ALL, every, config, recipe_manager.AlgorithmName.FLOAT_CASTING)
    return recipe.get_quantization_recipe()


def _int8_dynamic() -> Recipe:
    from litert_quantizer import recipe

    return recipe.dynamic_wi8_afp32()


def _int8_weight() -> Recipe:
    from litert_quantizer import recipe

    return recipe.weight_only_wi8_afp32()


def static(
    bits: int, *, integer_io: bool = False, tables: bool = False, operators: str = ALL
) -> Recipe:
    """Integer weights (8 bits) and activations, of the operators whose outputs' names match.

    Args:
        integer_io: of input and outputs, too.
        tables: leave ``LOOKED_UP`` real, for XNNPACK to make tables of.
    """
    from litert_quantizer import qtyping, recipe_manager

    recipe = recipe_manager.RecipeManager()
    every = qtyping.TFLOperationName.ALL_SUPPORTED
    recipe.add_static_config(operators, every, activation_num_bits=bits, weight_num_bits=BITS)
    for name in LOOKED_UP if tables else ():
        recipe.add_quantization_config(
            operators,
            qtyping.TFLOperationName[name],
            algorithm_key=recipe_manager.AlgorithmName.NO_QUANTIZE,
        )
    if not integer_io:
        for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            recipe.add_quantization_config(
                ALL, end, algorithm_key=recipe_manager.AlgorithmName.NO_QUANTIZE
            )
    return recipe.get_quantization_recipe()


def keep_real(recipe: Recipe, names: Iterable[str]) -> Recipe:
    """The recipe, but for the operators that write these tensors."""
    from litert_quantizer import qtyping, recipe_manager

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    manager.add_quantization_config(
        writers(names),
        qtyping.TFLOperationName.ALL_SUPPORTED,
        algorithm_key=recipe_manager.AlgorithmName.NO_QUANTIZE,
    )
    return manager.get_quantization_recipe()


def writers(names: Iterable[str]) -> str:
    """The expression that matches the operators whose first output has one of these names.

    The quantiser searches it in an operator's outputs, with a semicolon behind each
    (``get_op_scope`` of its ``tfl_flatbuffer_utils``).
    """
    return f"^(?:{'|'.join(map(re.escape, names))});"


PRECISIONS: dict[PrecisionName, Precision] = {
    "float16": Precision(_float16, None),
    "int8_weight": Precision(_int8_weight, None),
    "int8_dynamic": Precision(_int8_dynamic, None),
    "int8": Precision(lambda: static(BITS, tables=True), "averages"),
    "int8_io": Precision(lambda: static(BITS, integer_io=True), "averages", integers_only=True),
    "int16x8": Precision(lambda: static(16), "extremes", bits=16),
}
"""All but float32, which the converter makes."""


def is_calibrated(precision: str) -> bool:
    """Whether its activations are integers, whose ranges are taken from images."""
    return precision in PRECISIONS and PRECISIONS[precision].calibrated
