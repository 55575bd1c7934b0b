"""What the padding strategies do to a trained network, with the real tools."""

import numpy as np
import pytest

from mmdet2tflite.convert.tflite_file import read_passport
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.passport import Rotation
from mmdet2tflite.tflite.census import tflite_ops
from mmdet2tflite.tflite.flatbuffer import read_model
from mmdet2tflite.tflite.padding_flag import read_flags

pytestmark = pytest.mark.toolchain

EXACT = ("explicit", "mirror", "mirror_rotated", "widen", "engine")
WITHOUT_PAD = ("mirror", "mirror_rotated", "widen", "engine", "force_same")
# Of the convolutions with stride 2, the stem is SAME once Focus is folded into it; of the others 4
# are in the backbone and 2 in the neck.
STRIDED = 6
OUTPUTS = 9


@pytest.mark.parametrize("strategy", EXACT)
def test_an_exact_strategy_gives_the_explicit_files_map_to_four_digits(variants, strategy):
    expected = variants["explicit"].report.metrics["map"]
    assert expected > 0.3  # the golden network has learnt its digits
    assert f"{variants[strategy].report.metrics['map']:.4f}" == f"{expected:.4f}"


@pytest.mark.parametrize("strategy", EXACT)
def test_an_exact_strategy_reproduces_every_tensor_within_float32_rounding(
    main_path, variants, strategy
):
    reports = (main_path.reports["pytorch"], main_path.reports["onnx"], variants[strategy].report)
    loaded = (Evaluated.load(main_path.store.path(report)).outputs for report in reports)
    pytorch, expected, found = loaded
    for name, values in expected.items():
        # How much rounding is, depends on the processor: as much as between PyTorch and its ONNX,
        # 1.1e-5 of the range with AVX-512. Of two that round alike, none is twice as far away.
        rounding = np.abs(pytorch[name] - values).max()
        assert rounding <= 2e-5 * np.ptp(values)
        assert np.abs(found[name] - values).max() <= 2 * rounding
    metrics = variants[strategy].report.metrics
    assert (metrics["parity.lost"], metrics["parity.new"]) == (0, 0)


@pytest.mark.parametrize("strategy", WITHOUT_PAD)
def test_a_file_without_pads_has_no_transpose_either(variants, strategy):
    ops = tflite_ops(variants[strategy].path)
    assert not {"PAD", "PADV2", "MIRROR_PAD", "TRANSPOSE"} & set(ops)


def test_the_plan_says_how_many_pads_the_file_has(variants):
    planned = {name: variant.rewritten.pads for name, variant in variants.items()}
    assert planned == {"explicit": STRIDED, **dict.fromkeys(WITHOUT_PAD, 0)}
    found = {name: tflite_ops(variant.path)["PAD"] for name, variant in variants.items()}
    assert found == planned


def test_mirror_rotates_its_input_and_each_output_and_nothing_else_does(variants):
    found = {name: tflite_ops(variant.path)["REVERSE_V2"] for name, variant in variants.items()}
    assert found == {**dict.fromkeys(variants, 0), "mirror": 1 + OUTPUTS}


def test_only_mirror_rotated_has_to_be_run_rotated_and_its_passport_says_so(variants):
    for name, variant in variants.items():
        rotation = read_passport(variant.path).rotation
        if name == "mirror_rotated":
            assert rotation.input
            assert len(rotation.outputs) == OUTPUTS
        else:
            assert rotation == Rotation()


def test_force_same_loses_most_of_the_accuracy_and_says_that_it_is_inexact(variants):
    metrics = {name: variants[name].report.metrics for name in ("explicit", "force_same")}
    assert metrics["force_same"]["map"] < metrics["explicit"]["map"] / 2
    assert metrics["force_same"]["parity.relative"] > 0.1
    assert "force_same (inexact)" in variants["force_same"].report.variant
    assert not read_passport(variants["force_same"].path).exact


def test_engine_flags_each_convolution_whose_true_pads_are_not_same(variants):
    flags = read_flags(read_model(variants["engine"].path))
    # 3x3 with stride 2 and pad 1 on even sizes: the end pad is never reached.
    assert list(flags.values()) == [(1, 0, 1, 0)] * STRIDED


def test_widening_costs_seven_multiplications_more_for_nine_of_each_widened_kernel(variants):
    extra = variants["widen"].rewritten.metrics["extra_multiplications"]
    # Depthwise 3x3 → 4x4: 7 zero taps for every output value. 256x160, widths of YOLOX-nano.
    outputs = [(16, 64 * 40), (32, 32 * 20), (64, 16 * 10), (128, 8 * 5)]  # backbone: in channels
    neck = [(64, 16 * 10), (128, 8 * 5)]
    assert extra == 7 * sum(channels * cells for channels, cells in (*outputs, *neck))
