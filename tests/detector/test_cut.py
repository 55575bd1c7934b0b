"""Which deploy config cuts a network."""

from pathlib import Path

import pytest

from mmdet2tflite.config.experiment import Export
from mmdet2tflite.detector.export import OLDER_CUTS, with_older_cut
from mmdet2tflite.runtime.decode import FAMILIES


@pytest.mark.parametrize("family", [*FAMILIES, None])
def test_a_network_is_cut_behind_its_head_but_where_it_always_was_cut_by_marks(family):
    own = Export(deploy_config=Path("own.py"))
    assert with_older_cut(own, family) == own
    found = with_older_cut(Export(), family).deploy_config
    assert found == (Path(f"configs/deploy/{family}.py") if family in ("rtmdet", "yolox") else None)


def test_the_deploy_configs_are_there():
    root = Path(__file__).parents[2]
    assert all((root / path).is_file() for path in OLDER_CUTS.values())
