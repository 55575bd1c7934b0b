"""What the loss counts, and what it does not."""

import math
from dataclasses import replace

import pytest
import torch

from mmdet2tflite.passport import Head
from mmdet2tflite.quantize.tuning.loss import DistillationLoss

HEAD = Head(
    family="yolox",
    classes=("cat", "dog"),
    strides=(32,),
    score_threshold=0.01,
    nms_iou=0.65,
    max_detections=100,
)
SEEN, UNSEEN = 6.0, -12.0


def outputs() -> dict[str, torch.Tensor]:
    """Two cells: the left one holds a dog."""
    cls = torch.full((1, 1, 2, 2), UNSEEN)
    cls[0, 0, 0, 1] = SEEN
    obj = torch.tensor([SEEN, UNSEEN]).reshape(1, 1, 2, 1)
    return {"cls_32": cls, "obj_32": obj, "box_32": torch.ones(1, 1, 2, 4)}


def changed(name: str, place: tuple[int, ...], by: float) -> dict[str, torch.Tensor]:
    found = {key: value.clone() for key, value in outputs().items()}
    found[name][place] += by
    return found


def distillation_loss(student, teacher, head) -> torch.Tensor:
    """Of a teacher that was seen on these images alone."""
    loss = DistillationLoss(head)
    loss.see(teacher)
    return loss(student, teacher)


def test_the_teachers_own_outputs_cost_nothing():
    assert distillation_loss(outputs(), outputs(), HEAD).item() == pytest.approx(0, abs=1e-6)


def test_a_probability_costs_its_divergence_over_the_sum_of_probabilities():
    found = distillation_loss(changed("obj_32", (0, 0, 0, 0), -6.0), outputs(), HEAD)
    p = 1 / (1 + torch.exp(torch.tensor(-SEEN, dtype=torch.float64)))
    divergence = p * torch.log(p / 0.5) + (1 - p) * torch.log((1 - p) / 0.5)
    assert found.item() == pytest.approx((divergence / p).item() / 3, rel=1e-3)


def test_a_logit_of_what_nobody_sees_may_be_anything_small():
    assert distillation_loss(changed("cls_32", (0, 0, 1, 0), -9.0), outputs(), HEAD) < 1e-4


def test_a_box_counts_where_something_is_and_not_elsewhere():
    here = distillation_loss(changed("box_32", (0, 0, 0, 0), 1.0), outputs(), HEAD)
    there = distillation_loss(changed("box_32", (0, 0, 1, 0), 1.0), outputs(), HEAD)
    assert here.item() == pytest.approx(1 / 4 / 3, rel=1e-3)  # 1 of 4 sides, 3 outputs
    assert there.item() < 1e-4


@pytest.mark.parametrize("head", [None, replace(HEAD, score_function="softmax")])
def test_without_scores_that_are_known_every_value_counts_by_its_square(head):
    found = distillation_loss(changed("box_32", (0, 0, 1, 0), 1.0), outputs(), head)
    assert found.item() == pytest.approx(1 / 8 / 3, rel=1e-3)


def test_an_error_counts_the_same_in_an_image_with_few_objects():
    empty = {name: torch.full_like(value, UNSEEN) for name, value in outputs().items()}
    loss = DistillationLoss(HEAD)
    loss.see(outputs())
    alone = loss(changed("obj_32", (0, 0, 0, 0), -6.0), outputs())
    loss.see(empty)
    found = {name: torch.cat([v, empty[name]]) for name, v in outputs().items()}
    student = {name: value.clone() for name, value in found.items()}
    student["obj_32"][0, 0, 0, 0] -= 6.0
    both = loss(student, found)
    # The same error in twice the images, over half the mean power.
    assert both.item() == pytest.approx(alone.item(), rel=1e-3)
    wrong = {name: value.clone() for name, value in empty.items()}
    wrong["obj_32"][0, 0, 0, 0] = 0.0  # seen with probability 1/2, where nothing is
    assert loss(wrong, empty).item() == pytest.approx(2 * math.log(2) / 3, rel=1e-2)
