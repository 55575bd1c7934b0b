"""``mmdet2tflite plan``: the table, and the same as JSON."""

import json
from pathlib import Path

from tests.cli.invoke import invoke
from tests.toolchain.usual_networks import NETWORKS


def test_the_plan_as_json_holds_what_the_tables_show(tmp_path: Path) -> None:
    file = tmp_path / "classifier.onnx"
    NETWORKS["classifier"](str(file))
    plan = json.loads(invoke("plan", file, "--json"))
    shown = invoke("plan", file, "--all")
    assert plan["recommended"] == "mirror"
    assert "recommended: --padding mirror" in shown
    assert plan["strategies"]["explicit"]["pads"] == 4
    assert plan["strategies"]["tf_train"]["refused"] in shown.replace("\n", " ")
    assert len(plan["sites"]) == 8
    for site in plan["sites"]:
        (row,) = (line for line in shown.splitlines() if f"{site['name']} " in line and "→" in line)
        kernel, stride, size, output = (
            "x".join(map(str, site[key])) for key in ("kernel", "stride", "input", "output")
        )
        assert f"{kernel}/{stride}" in row
        assert f"{size} → {output}" in row
    # A 1x1 kernel with stride 2 reads rows 0, 2, 4 …: SAME, but not when the map is reversed.
    shortcut = next(site for site in plan["sites"] if site["name"] == "/Conv_9")
    assert shortcut["same"]
    assert shortcut["strategies"]["mirror"]["zero_taps"] == [[1, 0], [1, 0]]


def test_without_all_the_plan_lists_what_some_strategy_must_change(tmp_path: Path) -> None:
    file = tmp_path / "classifier.onnx"
    NETWORKS["classifier"](str(file))
    shown = invoke("plan", file)
    assert "/Conv_9 " in shown
    assert "/Conv_7 " not in shown
    assert "2 more, SAME whatever is done: see --all" in shown
