"""The fake quantiser: XNNPACK's rounding forwards, learned step size quantisation backwards."""

import pytest
import torch

from mmdet2tflite.quantize.tuning.rounding import replace_value, requantise, silu


def test_halves_go_to_the_even_integer_and_limits_hold():
    values = torch.tensor([0.5, 1.5, -0.5, -2.5, 9.0, -9.0])
    found = requantise(values, torch.tensor(1.0), -4.0, 7.0)
    assert found.tolist() == [0.0, 2.0, 0.0, -2.0, 7.0, -4.0]


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.86, 3 - 0.86 / 0.3),  # inside: round(v/s) - v/s
        (9.0, 7.0),  # beyond the upper limit: the limit
        (-9.0, -4.0),
    ],
)
def test_the_gradient_of_a_scale_is_that_of_learned_step_size_quantisation(real, expected):
    """arXiv 1902.08153, equation 3: of what a reader sees, scale * integer."""
    scale = torch.tensor(0.3, requires_grad=True)
    seen = scale * requantise(torch.tensor([real]), 1 / scale, -4.0, 7.0)
    seen.sum().backward()
    assert scale.grad.item() == pytest.approx(expected, abs=1e-5)


def test_the_gradient_of_a_value_passes_inside_the_limits_and_not_at_them():
    values = torch.tensor([0.86, 9.0, -9.0], requires_grad=True)
    (0.3 * requantise(values, torch.tensor(1 / 0.3), -4.0, 7.0)).sum().backward()
    assert values.grad.tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_a_multiplier_for_each_channel_gets_its_own_gradient():
    accumulators = torch.tensor([[1.0, 10.0], [3.0, 20.0]])
    multipliers = torch.tensor([0.5, 0.1], requires_grad=True)
    requantise(accumulators, multipliers, -100.0, 100.0).sum().backward()
    assert multipliers.grad.tolist() == [4.0, 30.0]


def test_silu_in_one_is_logistic_and_multiplication():
    """Values and gradients of the fused function against the chain of the two."""
    value = torch.arange(-128.0, 128.0)
    scale, out = torch.tensor(0.04), torch.tensor(0.02)
    found, expected = [], []
    for results, fused in ((found, True), (expected, False)):
        x, s, o = (t.clone().requires_grad_() for t in (value, scale, out))
        if fused:
            y = silu(x, s, s * (1 / 256) / o, -8.0, 247.0)
        else:
            gate = requantise(torch.sigmoid(x * s), torch.tensor(256.0), 0.0, 255.0)
            y = requantise(gate * x, s * (1 / 256) / o, -8.0, 247.0)
        (y * torch.linspace(-1, 1, 256)).sum().backward()
        results += [y.detach(), x.grad, s.grad, o.grad]
    assert torch.equal(found[0], expected[0])
    # The derivative of the sigmoid is taken of its rounded value, so up to 1/512 off for each unit
    # of the value; the gate is nowhere at its limits, for 128 * 0.04 is less than ln(255).
    torch.testing.assert_close(found[1], expected[1], rtol=0, atol=128 * 0.04 / 512 / 0.02)
    for one, two in zip(found[2:], expected[2:], strict=True):
        torch.testing.assert_close(one, two, rtol=0.02, atol=0)


def test_what_is_replaced_is_replaced_to_the_last_bit_and_keeps_its_gradient():
    value = torch.tensor([1e-8, 3e7], requires_grad=True)
    found = replace_value(value * 2, torch.tensor([1.0, 5.0]))
    assert found.tolist() == [1.0, 5.0]
    found.sum().backward()
    assert value.grad.tolist() == [2.0, 2.0]
