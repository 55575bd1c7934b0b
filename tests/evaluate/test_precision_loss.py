"""What a precision loses, and whether that is chance."""

import pytest

from mmdet2tflite.errors import ConfigError
from mmdet2tflite.evaluate.precision_loss import loss_metrics, precision_loss
from mmdet2tflite.evaluate.results import Evaluated, from_results
from tests.evaluate.constant_network import BOX, write_data

IMAGES = 40


@pytest.fixture
def annotations(tmp_path):
    """One box in each image."""
    write_data(tmp_path, IMAGES)
    return tmp_path / "val.json"


def finds(number):
    """The box of the first so many images, nothing else."""
    ids = range(1, IMAGES + 1)
    found = [{"image_id": i, "category_id": 0, "bbox": BOX, "score": 0.9} for i in ids[:number]]
    return Evaluated(from_results(found, ids), {})


def test_a_file_that_finds_half_of_the_boxes_loses_what_it_does_not_find(annotations):
    loss = precision_loss(annotations, finds(IMAGES), finds(IMAGES // 2), 400)
    # Of 101 recalls it reaches 0 to 0.5.
    assert loss["loss"] == pytest.approx(1 - 51 / 101)
    # A draw has binomially many of those that it finds: 0.5 with a deviation of (0.25 / 40)^0.5.
    assert loss["low"] == pytest.approx(0.5 - 1.96 * 0.079, abs=0.04)
    assert loss["high"] == pytest.approx(0.5 + 1.96 * 0.079, abs=0.04)
    assert (loss["confidence"], loss["images"], loss["resamples"]) == (0.95, IMAGES, 400)
    assert loss_metrics(loss) == {
        "map_loss": loss["loss"],
        "map_loss_low": loss["low"],
        "map_loss_high": loss["high"],
    }


def test_what_is_found_as_well_loses_nothing_in_any_draw(annotations):
    loss = precision_loss(annotations, finds(20), finds(20), 50)
    assert (loss["loss"], loss["low"], loss["high"]) == (0, 0, 0)


def test_a_file_that_finds_more_has_a_loss_below_zero(annotations):
    loss = precision_loss(annotations, finds(20), finds(IMAGES), 200)
    assert loss["loss"] == pytest.approx(51 / 101 - 1)
    assert loss["high"] < 0


def test_a_report_on_other_images_is_refused(annotations):
    fewer = Evaluated(from_results([], [1, 2]), {})
    with pytest.raises(ConfigError, match="about other images: 2"):
        precision_loss(annotations, fewer, finds(3), 10)
