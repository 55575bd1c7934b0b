"""What each layer of a quantised file loses: its signal-to-noise ratio, and its share of the noise.

A layer's **SNR** is that of its output in the finished file, with everything lost before it. Its
**share** is what it does itself to the network's outputs: one layer at a time is quantised, and all
others stay float32. With y the float file's output o, and y' that of the file in which only layer l
is quantised,

    snr(l, o)   = mean over images of 10 log10(|y|² / |y' - y|²)
    noise(l, o) = 10^(-snr(l, o) / 10)
    share(l)    = mean over outputs o of  noise(l, o) / (sum over all layers of noise(., o))

Shares add up to 1, and every output counts as much as another. One at a time is how "Integer
Quantization for Deep Learning Inference" (arXiv 2004.09602, partial quantisation) ranks layers;
that the noise is made up of its layers' is shown in "Exploring Neural Networks Quantization
via Layer-Wise Quantization Analysis" (arXiv 2012.08420).

The mean is of decibels, because sums of powers over images measure the oddest image: one on which
activations exceed their ranges is clipped by each of twenty layers in a row, which all seem to be
to blame. With sums of powers the layers' noise added up to 6 to 15 times that of the file with all
of them quantised (YOLOX-nano on digits), with decibels to 1.0 to 1.25 times.
"""

from collections.abc import Callable, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from mmdet2tflite.backends.inner_tensors import TensorReader
from mmdet2tflite.parity.parity import decibel
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.quantize.layer_groups import Layer
from mmdet2tflite.runtime.decode import Floats

type Samples = Sequence[Floats]
"""Inputs as a file wants them (1 x H x W x C)."""
type Noise = NDArray[np.float64]
"""Of every output, relative to its signal."""


class Probe:
    """Measures files against a float32 file on the same images.

    Args:
        reference: the float32 file.
        samples: at least one.
    """

    def __init__(self, reference: bytes, samples: Samples) -> None:
        self._samples = samples
        self._expected = _outputs(reference, samples)

    def noise(self, content: bytes) -> Noise:
        """``noise`` above, of a file with real input and outputs."""
        found = _outputs(content, self._samples)
        return np.array(
            [
                10 ** (-np.mean([_snr(a, b) for a, b in zip(*pair, strict=True)]) / 10)
                for pair in zip(self._expected, found, strict=True)
            ]
        )

    def shares(
        self, layers: Sequence[Layer], quantise_only: Callable[[Layer], bytes]
    ) -> dict[str, float]:
        """The share of each layer by its name.

        Args:
            quantise_only: the file with this layer quantised, input and outputs float32.
        """
        noise = np.array([self.noise(quantise_only(layer)) for layer in layers])
        shares = (noise / noise.sum(axis=0)).mean(axis=1)
        return {layer.name: float(share) for layer, share in zip(layers, shares, strict=True)}


def _outputs(content: bytes, samples: Samples) -> list[list[Floats]]:
    """By output in the file's order: its value for each sample."""
    interpreter = Interpreter(model_content=content, num_threads=cores())
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    details = interpreter.get_output_details()
    found = []
    for sample in samples:
        interpreter.set_tensor(given["index"], np.ascontiguousarray(sample))
        interpreter.invoke()
        found.append([interpreter.get_tensor(detail["index"]) for detail in details])
    return [list(values) for values in zip(*found, strict=True)]


def _snr(reference: Floats, candidate: Floats) -> float:
    return decibel(*_powers(reference, candidate))


def _powers(reference: Floats, candidate: Floats) -> tuple[float, float]:
    """Of the signal and of the noise."""
    expected = reference.astype(np.float64)
    return float((expected**2).sum()), float(((candidate - expected) ** 2).sum())


def snr_by_tensor(
    reference: schema.ModelT, quantised: schema.ModelT, names: Sequence[str], samples: Samples
) -> dict[str, float]:
    """Mean SNR in dB over samples of the tensors that both files have.

    Integers are read as the reals that they stand for.

    Args:
        reference, quantised: without padding flags; the input of either may be integer.
        names: of tensors; those that a file lacks are left out.
        samples: at least one.
    """
    readers = [TensorReader(model) for model in (reference, quantised)]
    details = [{detail["name"]: detail for detail in reader.details} for reader in readers]
    found: dict[str, list[float]] = {
        name: [] for name in names if all(name in each for each in details)
    }
    for sample in samples:
        for reader in readers:
            reader.run(sample)
        for name, values in found.items():
            expected, candidate = (
                reader.read(each[name]) for reader, each in zip(readers, details, strict=True)
            )
            values.append(_snr(expected, candidate))
    return {name: float(np.mean(values)) for name, values in found.items()}
