"""docs/datasets.md tells the truth about settings and problems."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from mmdet2tflite.config.loading import parse_experiment
from mmdet2tflite.data.prepare import FORMATS
from mmdet2tflite.data.problems import MENDS, Unmendable, Warned

PAGE = (Path(__file__).parents[2] / "docs/datasets.md").read_text()
EXAMPLES = [
    yaml.safe_load(block)
    for block in re.findall(r"^    dataset:\n(?:     .*\n)+", PAGE, flags=re.MULTILINE)
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["dataset"]["kind"])
def test_every_example_is_a_valid_experiment(example) -> None:
    parse_experiment({"name": "mine", **example})


def test_every_format_has_an_example() -> None:
    assert {example["dataset"]["kind"] for example in EXAMPLES} == set(FORMATS)


@pytest.mark.parametrize("kind", [*MENDS, *get_args(Unmendable), *get_args(Warned)])
def test_every_problem_is_listed(kind) -> None:
    assert f"`{kind}`" in PAGE
