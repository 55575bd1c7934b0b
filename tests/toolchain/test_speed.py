"""Does what makes an iteration cheaper leave its result as it is?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mmdet2tflite.detector import compat

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.toolchain

DECAY = 0.05
SETTINGS = {
    "type": "OptimWrapper",
    "optimizer": {"type": "AdamW", "lr": 0.01, "weight_decay": DECAY},
    "paramwise_cfg": {"norm_decay_mult": 0.0, "bias_decay_mult": 0.0},
}


@pytest.fixture(autouse=True, scope="module")
def _mmdet() -> None:
    compat.prepare()  # not on import: collecting the fast tests would load PyTorch


def network() -> torch.nn.Sequential:
    """A plain and a depthwise convolution, with batch norm and Swish; always the same."""
    import torch
    from mmcv.cnn import ConvModule

    torch.manual_seed(0)
    norm, swish = {"type": "BN"}, {"type": "Swish"}
    return torch.nn.Sequential(
        ConvModule(3, 8, 3, padding=1, norm_cfg=norm, act_cfg=swish),
        ConvModule(8, 8, 3, padding=1, groups=8, norm_cfg=norm, act_cfg=swish),
    )


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> float:
    import torch

    image = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    optimizer.zero_grad()
    loss = model(image).square().mean()
    loss.backward()
    optimizer.step()
    return loss.item()


def optimizer_of(model: torch.nn.Module, constructor: str, **more: object) -> torch.optim.Optimizer:
    from mmengine.optim import build_optim_wrapper

    from mmdet2tflite.detector import speed  # noqa: F401  (registers itself)

    optimizer = {**SETTINGS["optimizer"], **more}
    settings = {**SETTINGS, "optimizer": optimizer, "constructor": constructor}
    return build_optim_wrapper(model, settings).optimizer


def test_a_step_on_a_prepared_network_is_that_of_the_network_but_for_rounding():
    import torch

    from mmdet2tflite.detector.speed import speed_up

    plain, prepared = network(), network()
    speed_up(prepared)
    default = optimizer_of(plain, "DefaultOptimWrapperConstructor")
    fused = optimizer_of(prepared, "GroupedOptimWrapperConstructor", fused=True)
    losses = [
        [step(model, optimizer) for _ in range(3)]
        for model, optimizer in ((plain, default), (prepared, fused))
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[0][2] < losses[0][0]  # it did learn
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(prepared.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_names_of_parameters_stay_so_that_weights_of_either_load_into_the_other():
    from mmdet2tflite.detector.speed import speed_up

    plain, prepared = network(), network()
    speed_up(prepared)
    assert list(prepared.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(prepared.state_dict())


def test_no_swish_is_left_and_convolutions_read_channels_last():
    import torch
    from mmcv.cnn import Swish

    from mmdet2tflite.detector.speed import speed_up

    model = network()
    speed_up(model)
    assert not any(isinstance(module, Swish) for module in model.modules())
    assert sum(isinstance(module, torch.nn.SiLU) for module in model.modules()) == 2
    assert model[0].conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_one_group_for_each_setting_holds_the_parameters_of_all_groups_that_had_it():
    model = network()
    single = optimizer_of(model, "DefaultOptimWrapperConstructor").param_groups
    grouped = optimizer_of(model, "GroupedOptimWrapperConstructor").param_groups

    def decay(groups: list[dict]) -> dict[int, float]:
        return {id(p): group["weight_decay"] for group in groups for p in group["params"]}

    assert len(single) == len(list(model.parameters())) == 6
    assert sorted(group["weight_decay"] for group in grouped) == [0.0, DECAY]
    assert decay(grouped) == decay(single)
