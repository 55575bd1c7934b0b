"""Does the product compute PyTorch's Gelu, and does the exact one stay?"""

import numpy as np
import onnx_ir as ir
import torch

from mmdet2tflite.graph.passes.gelu import SpellOutTanhGelu
from tests.graph.passes.tiny import IMAGE, apply, build, node, run

RAMP = np.linspace(-8, 8, np.prod(IMAGE), dtype=np.float32).reshape(IMAGE)
ROUNDING = 8 * np.finfo(np.float32).eps


def test_the_approximation_becomes_a_product_that_computes_pytorchs() -> None:
    model = build([node("Gelu", ["x"], ["y"], name="g", approximate="tanh")], opset=20)
    done = apply(SpellOutTanhGelu, model)
    assert done.ops == ["Mul", "Mul", "Add", "Mul", "Sigmoid", "Mul"]
    assert done.sentences == ["wrote Gelu g by a sigmoid"]
    found = run(ir.to_proto(done.model), RAMP)["y"]
    wanted = torch.nn.functional.gelu(torch.from_numpy(RAMP).double(), approximate="tanh").numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=8 * ROUNDING)


def test_the_exact_one_stays() -> None:
    done = apply(SpellOutTanhGelu, build([node("Gelu", ["x"], ["y"])], opset=20))
    assert done.ops == ["Gelu"]
    assert done.sentences == []
