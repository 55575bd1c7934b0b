"""Names of others that we use though they are private: there, with their reasons."""

import inspect

import pytest

from mmdet2tflite.detector import compat

pytestmark = pytest.mark.toolchain


@pytest.fixture(autouse=True, scope="module")
def _mmdet() -> None:
    compat.prepare()  # not on import: collecting the fast tests would load PyTorch


def parameters(function) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_mmdets_affine_scales_about_the_corner_by_the_methods_that_ours_replaces():
    from mmdet.datasets.transforms import RandomAffine

    assert "self._get_random_homography_matrix(" in inspect.getsource(RandomAffine)
    twice = RandomAffine(0.0, 0.0, (2.0, 2.0), 0.0)
    assert (twice._get_random_homography_matrix(32, 64) @ [32, 16, 1]).tolist() == [64, 32, 1]
    moved = RandomAffine._get_translation_matrix(3, 4)
    assert moved.tolist() == [[1, 0, 3], [0, 1, 4], [0, 0, 1]]


def test_mmcvs_fused_batch_norm_calls_the_method_that_our_layer_replaces():
    import torch
    from mmcv.cnn.bricks.conv_module import efficient_conv_bn_eval_forward

    names = ["self", "input", "weight", "bias"]
    assert parameters(torch.nn.Conv2d._conv_forward) == names
    assert "conv._conv_forward(x, " in inspect.getsource(efficient_conv_bn_eval_forward)


def test_mmengine_resumes_with_the_function_that_looks_whether_a_checkpoint_is_whole():
    from mmengine.runner import Runner
    from mmengine.runner.checkpoint import _load_checkpoint

    assert parameters(_load_checkpoint)[:2] == ["filename", "map_location"]
    assert "_load_checkpoint(" in inspect.getsource(Runner.load_checkpoint)


def test_a_mark_of_mmdeploys_is_the_identity_made_by_the_class_that_is_replaced():
    compat.prepare_export()
    import torch
    from mmdeploy.core import mark
    from mmdeploy.core.optimizers import reset_mark_function_count

    from mmdet2tflite.detector.mark_runner import _marks_replaced

    found = []

    def record(x, *described):
        found.append(described[2:6])
        return x

    @mark("part", inputs=["a"], outputs=["b"])
    def part(a):
        return a + 1

    zero = torch.zeros(1)
    assert part(zero) == 1
    assert not found
    reset_mark_function_count()
    with _marks_replaced(record):
        assert part(zero) == 1
    assert found == [("part", 0, "input", "a"), ("part", 0, "output", "b")]
    assert part(zero) == 1
    assert len(found) == 2
