"""``layers.json``: what each layer of a statically quantised file loses.

``{"images": N, "layers": [...]}``, the layers in the network's order, each with

* ``layer``: the tensor that its first operator writes; ``operator``: that operator; ``output``: the
  tensor that its last one writes;
* ``snr_db``: of its output against the float32 file on N validation images, with everything lost
  before it; ``source_snr_db``: the worst of what it reads. Null where a file lacks the tensor.
* ``share``: of the noise at the network's outputs, measured layer by layer on training images
  (``layer_errors``); null in a precision that leaves nothing in float32;
* ``float32``: it was left so.

Needs nothing but Python: the report reads it, too.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

LAYERS = "layers.json"


class Described(Protocol):
    """What is needed of a ``layer_groups.Layer``."""

    @property
    def operator(self) -> str:
        """Its first operator."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensors that it reads."""

    @property
    def name(self) -> str:
        """The tensor that its first operator writes."""

    @property
    def output(self) -> str:
        """The tensor that its last operator writes."""


def layer_table(
    layers: Sequence[Described],
    snr: Mapping[str, float],
    shares: Mapping[str, float],
    real: Collection[str],
    images: int,
) -> dict[str, Any]:
    """The content of the file.

    Args:
        snr: in dB, by tensor.
        shares: by layer; empty if they were not measured.
        real: names of the layers left in float32.
        images: that ``snr`` is of.
    """
    return {
        "images": images,
        "layers": [
            {
                "layer": layer.name,
                "operator": layer.operator,
                "output": layer.output,
                "snr_db": snr.get(layer.output),
                "source_snr_db": min(
                    (snr[source] for source in layer.sources if source in snr), default=None
                ),
                "share": shares.get(layer.name),
                "float32": layer.name in real,
            }
            for layer in layers
        ],
    }
