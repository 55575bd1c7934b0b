"""Does everything go that no output depends on?"""

import numpy as np

from mmdet2tflite.graph.passes.unused import RemoveUnused
from tests.graph.passes.tiny import apply, assert_same, build, node


def test_dead_nodes_and_initializers_go() -> None:
    model = build(
        [
            node("Relu", ["x"], ["y"], name="live"),
            node("Mul", ["y", "c"], ["a"], name="dead"),
            node("Neg", ["a"], ["b"], name="deader"),
        ],
        {"c": np.ones(1, np.float32), "never": np.ones(2, np.float32)},
    )
    done = apply(RemoveUnused, model)
    assert done.ops == ["Relu"]
    assert not done.model.graph.initializers
    assert done.sentences == [
        "removed Mul dead, which nothing reads",
        "removed Neg deader, which nothing reads",
    ]
    assert_same(model, done.model)


def test_the_input_stays_even_unread() -> None:
    model = build([node("Neg", ["c"], ["y"])], {"c": np.ones((1, 1, 1, 1), np.float32)})
    done = apply(RemoveUnused, model)
    assert [value.name for value in done.model.graph.inputs] == ["x"]
    assert done.sentences == []
