"""Whether a TFLite file computes what the ONNX network does; knows nothing of how it was made.

1. Inputs and outputs belong together by their names. A file whose names are others is read as its
   user would: by shapes; where those leave a choice, the best counts.
2. A file may have the channels of a tensor at its end. Where both layouts fit, the better counts.
3. An error is relative to the range of the output in the ONNX; integers and booleans are equal or
   not.
4. Where a network is so steep that rounding decides, an error is allowed that is ``STEEP`` times
   what its output moves by in ONNX Runtime if its inputs change in their last place.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.generic]
type Feed = Mapping[str, Array]
type Run = Callable[[Feed], Mapping[str, Array]]

RIGHT = 1e-3
"""Of the range. What float32 rounds away in a deep network is a tenth of it at most."""
STEEP, DRAWS = 10, 3
"""The rounding of each layer adds up; one draw may happen to change little."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels from 0 to 1, R, G, B: what nearly all of these networks are trained with."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of the file, or an input of the ONNX."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"


def noise(inputs: Sequence[Tensor], seed: int) -> dict[str, Array]:
    """Normal; small whole numbers for an integer."""
    random = np.random.default_rng(seed)
    return {each.name: _of_type(each, random.standard_normal(each.shape)) for each in inputs}


def image_noise(inputs: Sequence[Tensor], seed: int) -> dict[str, Array]:
    """Noise of pixels, normalised by ImageNet's mean and deviation."""
    random = np.random.default_rng(seed)
    return {each.name: _of_type(each, _pixels(random, each.shape)) for each in inputs}


def _pixels(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = random.random(shape)
    sides = [1] * len(shape)
    if len(shape) == 4 and shape[1] == 3:
        sides[1] = 3
        return (values - np.reshape(MEAN, sides)) / np.reshape(DEVIATION, sides)
    return (values - MEAN[0]) / DEVIATION[0]


def _of_type(tensor: Tensor, values: NDArray[np.float64]) -> Array:
    whole = np.issubdtype(np.dtype(tensor.dtype), np.integer)
    # A scalar's are no array yet.
    return np.asarray(np.abs(values) * 4 if whole else values).astype(tensor.dtype)


def compare(
    reference: Mapping[str, Array],
    feed: Feed,
    given: Sequence[Tensor],
    run: Run,
) -> dict[str, float]:
    """The error of each output of the ONNX, infinite for one that the file lacks.

    Args:
        reference: what the network computes of ``feed``.
        given: the file's inputs.
        run: computes the file's outputs of its inputs, both by its own names.

    Raises:
        ValueError: the inputs do not fit.
    """
    best: dict[str, float] = {}
    for arranged in _arrangements(feed, given):
        found = output_errors(reference, run(arranged))
        if not best or max(found.values()) < max(best.values()):
            best = found
    if not best:
        shapes = [tensor.shape for tensor in given]
        raise ValueError(f"inputs of {shapes}, and none has the shape of the network's")
    return best


def allowed_errors(reference: Mapping[str, Array], feed: Feed, run: Run) -> dict[str, float]:
    """Rule 4. ``run``: of the ONNX, on which ``reference`` is what it computes of ``feed``."""
    random = np.random.default_rng(0)
    allowed = dict.fromkeys(reference, RIGHT)
    for _ in range(DRAWS):
        moved = output_errors(reference, run({n: _rounded(v, random) for n, v in feed.items()}))
        allowed = {name: max(each, STEEP * moved[name]) for name, each in allowed.items()}
    return allowed


def _rounded(values: Array, random: np.random.Generator) -> Array:
    if not np.issubdtype(values.dtype, np.floating):
        return values
    towards = np.where(random.random(values.shape) < 0.5, -np.inf, np.inf)
    return np.asarray(np.nextafter(values, towards.astype(values.dtype)))


def _arrangements(feed: Feed, given: Sequence[Tensor]) -> Iterator[dict[str, Array]]:
    pairs = _pairs([*feed], [tensor.name for tensor in given])
    choices = []
    for name, index in pairs.items():
        tensor = given[index]
        fitting = [each for each in _turned(feed[name]) if each.shape == tensor.shape]
        choices.append([(tensor.name, each.astype(tensor.dtype)) for each in fitting])
    if len(pairs) == len(given):
        yield from (dict(choice) for choice in product(*choices))


def _turned(values: Array) -> list[Array]:
    """Channels at the end, and as it is."""
    if values.ndim < 3:
        return [values]
    return [np.ascontiguousarray(np.moveaxis(values, 1, -1)), values]


def _pairs(names: Sequence[str], others: Sequence[str]) -> dict[str, int]:
    """By name, and what is left in its order."""
    plain = [_plain(other) for other in others]
    pairs = {name: plain.index(_plain(name)) for name in names if _plain(name) in plain}
    left = [index for index in range(len(others)) if index not in pairs.values()]
    return pairs | dict(zip((name for name in names if name not in pairs), left, strict=False))


def _plain(name: str) -> str:
    """Without what converters add to names."""
    return name.removeprefix("serving_default_").partition(":")[0]


def output_errors(reference: Mapping[str, Array], found: Mapping[str, Array]) -> dict[str, float]:
    """Per output of the ONNX (rules 1 to 3)."""
    by_name = {_plain(name): values for name, values in found.items()}
    unnamed = [v for name, v in found.items() if name not in {_plain(n) for n in reference}]
    errors = {}
    for name, wanted in reference.items():
        named = by_name.get(_plain(name))
        candidates = [named] if named is not None else unnamed
        errors[name] = min((_error(wanted, each) for each in candidates), default=float("inf"))
    return errors


def _error(wanted: Array, found: Array) -> float:
    layouts = [found, np.moveaxis(found, -1, 1)] if found.ndim >= 3 else [found]
    fitting = [each for each in layouts if each.shape == wanted.shape]
    return min((_difference(wanted, each) for each in fitting), default=float("inf"))


def _difference(wanted: Array, found: Array) -> float:
    if wanted.size == 0:
        return 0.0
    if not np.issubdtype(wanted.dtype, np.floating):
        return 0.0 if np.array_equal(wanted, found) else float("inf")
    reference = wanted.astype(np.float64)
    largest = float(np.max(np.abs(reference - found.astype(np.float64))))
    span = float(np.ptp(reference)) or float(np.max(np.abs(reference)))
    if not np.isfinite(largest):
        return float("inf")
    return largest / span if span else (0.0 if largest == 0 else float("inf"))
