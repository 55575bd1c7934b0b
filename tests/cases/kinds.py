"""All kinds, by name."""

import onnx

from tests.cases import inputs, operators, outputs, refusals, unrolled
from tests.cases.network import Kind

KINDS: dict[str, Kind] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": kind
    for module in (inputs, outputs, operators, unrolled, refusals)
    for name, kind in module.KINDS.found.items()
}


def build(name: str) -> onnx.ModelProto:
    """The model of a kind."""
    return KINDS[name].make()
