"""comparison.json: uniform numbers of all models, and what becomes of one that failed."""

import json

import pytest

from mmdet2tflite.errors import DataError
from mmdet2tflite.report.compare import COMPARE, CompareConfig
from mmdet2tflite.report.markdown import markdown
from tests.report.finished_run import REASON, Run


def by_name(numbers):
    return {row["variant"]: row for row in numbers["rows"]}


def test_rows_stand_in_the_order_of_the_run_with_the_failed_one(compared):
    assert list(by_name(compared[0])) == [
        "PyTorch",
        "ONNX",
        "explicit · onnx2tf · float32",
        "force_same (inexact) · onnx2tf · float32",
        "widen · onnx2tf · float32",
    ]


def test_every_model_has_the_same_latency_name_whatever_it_runs_in(compared):
    found = [row["metrics"].get("latency_ms") for row in compared[0]["rows"]]
    assert found == [40.0, 20.0, 12.5, 10.0, None]


def test_a_change_of_map_is_against_the_first_model(compared):
    found = [row["metrics"].get("map_change") for row in compared[0]["rows"]]
    assert found == [0.0, 0.0, pytest.approx(-0.001), -0.25, None]


def test_a_row_says_what_it_is_made_by_and_compared_with(compared):
    row = by_name(compared[0])["force_same (inexact) · onnx2tf · float32"]
    assert (row["strategy"], row["converter"], row["precision"]) == (
        "force_same",
        "onnx2tf",
        "float32",
    )
    assert row["exact"] is False
    assert row["compared_with"] == "ONNX"
    assert row["metrics"]["extra_multiplications"] == 5
    assert set(row["artefacts"]) == {"rewritten", "tflite", "report"}


def test_a_failed_variant_keeps_its_whole_reason_and_has_no_numbers(compared):
    row = by_name(compared[0])["widen · onnx2tf · float32"]
    assert REASON in row["failure"]
    assert row["metrics"] == {}
    assert row["strategy"] == "widen"


def test_the_comparison_names_what_failed(finished: Run):
    comparison = finished.compare()
    assert comparison.failed == ("widen · onnx2tf · float32",)
    assert comparison.summary.endswith("1 variant failed.")


def test_a_padding_plan_lists_the_sites_that_some_strategy_treats(compared):
    padding = compared[0]["padding"]
    assert padding["total"] == 2
    assert [site["name"] for site in padding["sites"]] == ["stem"]
    treatments = padding["sites"][0]["treatments"]
    assert {name: t["treatment"] for name, t in treatments.items()} == {
        "explicit": "PAD",
        "force_same": "forced SAME",
    }
    assert [s["pads"] for s in padding["strategies"].values()] == [1, 0]


def test_a_gallery_has_the_image_that_changed_and_its_counts(compared):
    gallery = compared[0]["gallery"]
    assert "changed" not in gallery["explicit · onnx2tf · float32"]
    changed = gallery["force_same (inexact) · onnx2tf · float32"]["changed"]
    # One of two boxes found, nothing wrong: F1 = 2 * 1 / (2 + 1)
    assert (changed["image"], changed["f1"]) == (1, pytest.approx(2 / 3))
    assert (changed["right"], changed["wrong"], changed["not_found"]) == (1, 0, 1)
    assert changed["reference"]["f1"] == 1


def test_a_run_without_tflite_files_is_compared_all_the_same(finished: Run):
    comparison = finished.compare(finished.outcomes()[:2])
    assert comparison.summary == "No TFLite file was measured."


def test_an_image_that_is_gone_is_named(finished: Run):
    outcomes = finished.outcomes()
    dataset = finished.dataset

    def dataset_without_an_image():
        found = dataset()
        (finished.folder / "1.png").unlink()
        return found

    finished.dataset = dataset_without_an_image  # type: ignore[method-assign]
    with pytest.raises(DataError, match=r"1\.png cannot be read any more"):
        finished.compare(outcomes)


def test_an_int8_file_that_loses_names_the_layers_that_do_it(finished: Run):
    comparison = finished.compare(finished.with_integers())
    numbers = json.loads(finished.store.path(comparison, comparison.numbers).read_text())
    (loss,) = numbers["losses"]
    assert loss["variant"] == "explicit · onnx2tf · int8"
    assert [(layer["layer"], layer["share"]) for layer in loss["layers"]] == [
        ("<b>stem</b>", 0.75),
        ("neck", 0.25),
    ]
    assert numbers["mixed"] == [
        "explicit · onnx2tf · int8_mixed has 1 of its 2 layers in float32 and 40% of int8's noise: "
        "+10.0 mAP points, +25% size, -25% latency."
    ]


def test_without_integers_nothing_is_said_of_them(compared):
    assert [compared[0][name] for name in ("losses", "mixed", "slow")] == [[], [], []]
    assert "no time" not in compared[1]
    assert "What integers lose" not in compared[1]
    assert "noise" not in markdown(compared[0])


def test_the_page_and_the_text_say_what_integers_lose(finished: Run):
    comparison = finished.compare(finished.with_integers())
    page = finished.store.path(comparison, comparison.page).read_text()
    numbers = json.loads(finished.store.path(comparison, comparison.numbers).read_text())
    section = page.split("What integers lose")[1].split("<h2>")[0]
    assert "loses 10.0 mAP points against explicit · onnx2tf · float32" in section
    assert "&lt;b&gt;stem&lt;/b&gt;" in section
    assert "<td>75.0 %</td>" in section
    assert "<td>30.0 → 12.0</td>" in section
    assert "+10.0 mAP points, +25% size" in section
    text = markdown(numbers)
    assert numbers["losses"][0]["sentence"] in text
    assert r"* CONV_2D \<b\>stem\</b\>, 75% of the noise" in text
    assert numbers["mixed"][0] in text


@pytest.mark.parametrize("part", ["TEMPLATE", "STYLE", "MISTAKES"])
def test_a_comparison_is_made_again_when_its_page_is_written_differently(
    part, tmp_path, monkeypatch
):
    config = CompareConfig(experiment={}, outcomes=())
    before = COMPARE.key(config)
    changed = tmp_path / "changed"
    changed.write_text("different")
    monkeypatch.setattr(f"mmdet2tflite.report.compare.{part}", changed)
    assert COMPARE.key(config) != before


def test_the_page_says_which_layers_of_an_int8_file_save_no_time(finished: Run):
    comparison = finished.compare(finished.with_integers())
    numbers = json.loads(finished.store.path(comparison, comparison.numbers).read_text())
    (slow,) = numbers["slow"]
    assert (slow["variant"], slow["ratio"]) == ("explicit · onnx2tf · int8", 0.8)
    page = finished.store.path(comparison, comparison.page).read_text()
    section = page.split("Where integers save no time")[1].split("<h2>")[0]
    assert "takes 0.80 of the time of explicit · onnx2tf · float32" in section
    assert "&lt;b&gt;stem&lt;/b&gt;" in section
    # 5 ms of 10 in int8, 6.25 of 12.5 in float32: 5 - 0.6 x 6.25 too much.
    assert all(f"<td>{value}</td>" in section for value in ("5.00", "6.25", "1.25"))
