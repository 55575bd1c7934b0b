"""The canonical form: what every padding strategy starts from."""

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.passes.auto_pad import ResolveAutoPad
from mmdet2tflite.graph.passes.backward_slices import SplitBackwardSlices
from mmdet2tflite.graph.passes.batch_normalization import FoldBatchNormalization
from mmdet2tflite.graph.passes.ceil_mode import ResolveCeilMode
from mmdet2tflite.graph.passes.channel_attention import DistributeAttention
from mmdet2tflite.graph.passes.computed_kernels import SpellOutComputedKernels
from mmdet2tflite.graph.passes.constants import FoldConstants
from mmdet2tflite.graph.passes.dilated_pools import SpellOutDilatedPools
from mmdet2tflite.graph.passes.focus import FoldFocus
from mmdet2tflite.graph.passes.gelu import SpellOutTanhGelu
from mmdet2tflite.graph.passes.hard_swish import FuseHardSwish
from mmdet2tflite.graph.passes.identities import RemoveIdentities
from mmdet2tflite.graph.passes.naming import NameNodes
from mmdet2tflite.graph.passes.normalise_operators import NormaliseOperators
from mmdet2tflite.graph.passes.output_padding import SpellOutOutputPadding
from mmdet2tflite.graph.passes.pads import MergePads
from mmdet2tflite.graph.passes.recurrent import UnrollRecurrent
from mmdet2tflite.graph.passes.reporting import ReportingPass
from mmdet2tflite.graph.passes.resize import SpellOutResize
from mmdet2tflite.graph.passes.sibling_slices import JoinSiblingSlices
from mmdet2tflite.graph.passes.unused import RemoveUnused
from mmdet2tflite.processes.memory import growing_at_most

PASSES: tuple[type[ReportingPass], ...] = (
    NameNodes,
    RemoveUnused,
    FoldConstants,
    RemoveIdentities,
    FoldBatchNormalization,
    ResolveAutoPad,
    ResolveCeilMode,
    MergePads,
    FoldFocus,
    FuseHardSwish,
    DistributeAttention,
    SpellOutResize,
    SplitBackwardSlices,
    JoinSiblingSlices,
    SpellOutDilatedPools,
    SpellOutOutputPadding,
    SpellOutTanhGelu,
    SpellOutComputedKernels,
    UnrollRecurrent,
    NormaliseOperators,
    RemoveUnused,
    NameNodes,
)
"""In this order: the first three make the graph readable for the rest, the last two tidy up."""

MOST_MEMORY, TIMES_FILE = 10**9, 8
"""Bytes that the passes may take, and of those that the weights have."""


@dataclass(frozen=True)
class Change:
    """What one pass did.

    Args:
        name: of the pass, as in ``PASSES``.
        sentences: what it changed, and what it left and why, naming the nodes.
    """

    name: str
    sentences: tuple[str, ...]


def canonicalise(
    model: ir.Model, on_pass: Callable[[str], None] = lambda name: None
) -> tuple[Change, ...]:
    """Bring a model to the canonical form, in place; it computes the same within float32 rounding.

    1. Every value has a static shape; what is constant is an initializer; no control flow.
    2. No ``BatchNormalization`` in inference mode, no ``Dropout``, and no ``Identity`` but where an
       input or output would lose its name.
    3. Pads are explicit, and in the window that they belong to where that is possible.
    4. No pooling is in ``ceil_mode``, but for dilated ones that no pads can express (a sentence
       names them); no space-to-depth is left before a convolution that can take it in; no hard
       swish is a product; no channel attention stands behind a Concat.
    5. Constant operands have the rank of the output; ``Pad`` names the pads of every axis and
       ``Split`` its sizes; a ``Slice`` with a negative step is a reversal of one whole axis; a
       ``Resize`` is one that LiteRT has a kernel for, or a sentence says why not.
    6. Nodes have unique names and stand in topological order; nothing is unused.
    7. Graph inputs and outputs have their old names.

    Args:
        model: as ``load_model`` gives it.
        on_pass: called with the name of each pass before it runs.

    Returns:
        What was done, by the passes that had something to do.

    Raises:
        ModelError: control flow that is not constant, a value without a static shape, or constants
            that take too much memory.
    """
    changes = []
    own = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value)
    with growing_at_most(MOST_MEMORY + TIMES_FILE * own, error=ModelError):
        for kind in PASSES:
            on_pass(kind.__name__)
            step = kind()
            step(model)
            if step.sentences:
                changes.append(Change(kind.__name__, tuple(step.sentences)))
    return tuple(changes)
