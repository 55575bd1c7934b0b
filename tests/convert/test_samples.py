"""What a conversion is compared on when nobody gives images."""

import numpy as np
import onnx_ir as ir
import pytest

from mmdet2tflite.convert.samples import noise
from tests.graph.passes.tiny import build, integers, node


def value(name: str, shape: tuple[int, ...], kind: ir.DataType) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(kind))


def test_every_second_sample_has_whole_numbers_that_occur_more_than_once() -> None:
    feeds = noise([value("x", (1, 3, 8, 8), ir.DataType.FLOAT)]).feeds
    for index, feed in enumerate(feeds):
        is_whole = (feed["x"] == np.rint(feed["x"])).all()
        assert is_whole == bool(index % 2)
        assert feed["x"].dtype == np.float32
    assert len(np.unique(feeds[1]["x"])) > 5


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [(ir.DataType.UINT8, 0, 255), (ir.DataType.INT8, -128, 127), (ir.DataType.INT64, 0, 7)],
)
def test_integers_are_of_their_type_and_small(kind: ir.DataType, low: int, high: int) -> None:
    (feed, *_) = noise([value("x", (4, 500), kind)]).feeds
    assert feed["x"].dtype == kind.numpy()
    assert low <= feed["x"].min() < feed["x"].max() <= high


def test_indices_stay_within_the_table_that_they_index() -> None:
    model = ir.from_proto(build([node("Gather", ["t", "x"], ["y"])], {"t": integers(3, 2)}))
    ids = model.graph.inputs[0]
    ids.type, ids.shape = ir.TensorType(ir.DataType.INT64), ir.Shape([1, 400])
    (feed, *_) = noise([ids]).feeds
    assert set(np.unique(feed["x"])) == {0, 1, 2}
