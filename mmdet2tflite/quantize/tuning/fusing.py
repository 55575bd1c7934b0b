"""Several integer operators as one step, which computes the same in less time.

SiLU is LOGISTIC and the MUL of its output with its input. Where nobody else reads LOGISTIC's
output, the two become the step ``SILU`` at the place of the MUL.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from mmdet2tflite.quantize.tuning.steps import Step

SILU = "SILU"


def fuse(steps: Sequence[Step], kept: Collection[int]) -> list[Step]:
    """The steps with those fused that can be.

    Args:
        kept: tensors that must be computed, for they are outputs.
    """
    readers = Counter(index for step in steps for index in step.inputs)
    gates = {
        step.outputs[0]: step.inputs[0]
        for step in steps
        if step.name == "LOGISTIC"
        and step.grid is not None
        and readers[step.outputs[0]] == 1
        and step.outputs[0] not in kept
    }
    silus = {step.outputs[0]: value for step in steps if (value := _gated(step, gates)) is not None}
    inner = {gate for step in steps if step.outputs[0] in silus for gate in step.inputs} & set(
        gates
    )
    return [
        replace(step, name=SILU, inputs=(silus[step.outputs[0]],))
        if step.outputs[0] in silus
        else step
        for step in steps
        if step.outputs[0] not in inner
    ]


def _gated(step: Step, gates: dict[int, int]) -> int | None:
    """What a MUL multiplies with its own gate; None if it is no such MUL."""
    if step.name != "MUL" or step.grid is None:
        return None
    a, b = step.inputs
    if gates.get(a) == b:
        return b
    return a if gates.get(b) == a else None
