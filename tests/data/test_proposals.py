"""What is proposed, by arithmetic."""

import pytest

from mmdet2tflite.data.discovery.proposals import (
    ORIENTED,
    UPRIGHT,
    Facts,
    Machine,
    batch_size,
    detector,
    epochs,
    input_size,
)

TWO_CORES = Machine(cores=2, memory=16e9, gpu=False)


def facts(side: float = 0.5, size=(640, 480), train: int = 320, **changes) -> Facts:
    values = {"sizes": [size], "sides": {"cat": [side]}, "train": train} | changes
    return Facts(**values)


@pytest.mark.parametrize(
    ("side", "size", "expected"),
    [
        (0.5, (640, 480), [320, 256]),  # 16 / 0.5 = 32, raised to 320; 240 → 256
        (0.04, (640, 480), [416, 320]),  # 16 / 0.04 = 400 → 416; 312 → 320
        (0.04, (480, 640), [320, 416]),  # upright pictures
        (0.01, (1920, 1080), [640, 384]),  # 1600, lowered to 640; 360 → 384
        (0.01, (200, 100), [224, 128]),  # not longer than the pictures: 200 → 224; 112 → 128
        (0.5, (64, 64), [64, 64]),
    ],
)
def test_the_smallest_class_gets_16_pixels_in_the_pictures_shape(side, size, expected) -> None:
    assert input_size(facts(side, size)).value == expected


def test_the_class_with_the_smallest_median_decides_if_it_has_ten_boxes() -> None:
    sides = {"big": [0.5] * 100, "small": [0.04] * 10, "rare": [0.01] * 9, "none": []}
    found = input_size(facts(sides=sides))
    assert found.value == [416, 320]
    assert "the median box of small has 17 px" in found.why  # 0.04 * 416 = 16.64


def test_boxes_too_small_for_the_largest_size_are_told_of() -> None:
    assert "16 px would take 1600" in input_size(facts(0.01, (1920, 1080))).why


def test_oriented_boxes_get_an_oriented_detector() -> None:
    assert detector(facts())[0] is UPRIGHT
    assert detector(facts(oriented=True))[0] is ORIENTED


@pytest.mark.parametrize(
    ("train", "memory", "expected"),
    [
        (1000, 16e9, 16),
        (40, 16e9, 8),  # a quarter: 10
        (3, 16e9, 1),
        (1000, 1e9, 4),  # a picture of 0.08192 megapixels takes 0.2458 GB: 4.07
        (1000, 1e7, 1),
    ],
)
def test_the_batch_is_a_power_of_two_within_memory_and_pictures(train, memory, expected) -> None:
    machine = Machine(cores=2, memory=memory, gpu=False)
    assert batch_size(facts(train=train), (320, 256), UPRIGHT, machine).value == expected


@pytest.mark.parametrize(
    ("train", "machine", "expected"),
    [
        (320, TWO_CORES, 80),  # 1500 * 16 / 320 = 75
        (40, TWO_CORES, 300),  # 600
        (3200, TWO_CORES, 20),  # 7.5
        (800, Machine(2, 16e9, True), 100),  # 5000 * 16 / 800
    ],
)
def test_epochs_are_those_of_1500_iterations_in_tens(train, machine, expected) -> None:
    assert epochs(facts(train=train), (320, 256), 16, UPRIGHT, machine).value == expected


def test_without_a_gpu_an_hour_is_the_most_and_the_time_is_told() -> None:
    """640x640 is 0.4096 megapixels: 320 pictures take 131.072 s on one core; 27.5 an hour."""
    slow = Machine(cores=1, memory=64e9, gpu=False)
    found = epochs(facts(train=320), (640, 640), 16, UPRIGHT, slow)
    assert found.value == 30
    assert found.why == "600 iterations, about 66 min on 1 core"  # 30 * 131.072 / 60 = 65.5
    assert epochs(facts(train=320), (640, 640), 16, UPRIGHT, TWO_CORES).value == 60  # 54.9
