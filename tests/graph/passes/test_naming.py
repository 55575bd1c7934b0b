"""Does every node get a name of its own, and do the names that matter stay?"""

import numpy as np
import onnx_ir as ir

from mmdet2tflite.graph.passes.naming import NameNodes
from tests.graph.passes.tiny import apply, build, node


def test_nameless_and_doubled_names_are_mended() -> None:
    model = build(
        [
            node("Relu", ["x"], ["a"]),
            node("Neg", ["a"], ["b"], name="twin"),
            node("Abs", ["b"], ["c"], name="twin"),
            node("Relu", ["c"], ["y"]),
        ]
    )
    done = apply(NameNodes, model)
    assert [each.name for each in done.model.graph] == ["Relu", "twin", "twin_1", "Relu_1"]
    assert done.sentences == [
        "named Relu Relu, formerly nameless",
        "named Abs twin_1, formerly twin",
        "named Relu Relu_1, formerly nameless",
    ]


def test_input_and_output_keep_their_names_against_an_initializer() -> None:
    model = ir.from_proto(
        build([node("Mul", ["x", "c"], ["y"], name="m")], {"c": np.ones(1, np.float32)})
    )
    (factor,) = model.graph.initializers.values()
    factor.name = "y"
    NameNodes()(model)
    assert [value.name for value in (*model.graph.inputs, *model.graph.outputs)] == ["x", "y"]
    assert list(model.graph.initializers) == ["y_1"]


def test_good_names_stay() -> None:
    done = apply(NameNodes, build([node("Relu", ["x"], ["y"], name="/net/act")]))
    assert done.sentences == []
    assert [each.name for each in done.model.graph] == ["/net/act"]
