import numpy as np
import pytest

from mmdet2tflite.convert.tflite_file import (
    PASSPORT,
    describe_output,
    match_outputs,
    output_tensors,
    read_passport,
    rename_outputs,
    write_passport,
)
from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head, Passport, Preprocessing, Rotation, Tensor, TfliteOutput
from mmdet2tflite.runtime.runners import TfliteRunner
from mmdet2tflite.tflite.flatbuffer import read_model, write_model

SHAPE = (1, 3, 4, 6)
KERNELS = {"a": 2, "b": 1}
LAYERS = {
    name: (np.full((channels, 3, 1, 1), channels), np.zeros(channels))
    for name, channels in KERNELS.items()
}


def nchw(name: str, channels: int, height: int = 4, width: int = 6) -> Tensor:
    return Tensor(name=name, shape=(1, channels, height, width))


def nhwc(name: str, channels: int, height: int = 4, width: int = 6) -> Tensor:
    return Tensor(name=name, shape=(1, height, width, channels))


def passport(**changes: str) -> Passport:
    head = Head(
        family="yolox",
        classes=("cat", "dög"),
        strides=(8,),
        score_threshold=0.01,
        nms_iou=0.65,
        max_detections=100,
    )
    values = {
        "head": head,
        "preprocessing": Preprocessing(width=6, height=4),
        "outputs": (
            TfliteOutput(name="cls_8", shape=(1, 4, 6, 2)),
            TfliteOutput(name="scores", shape=(1, 7), layout="onnx"),
        ),
        "rotation": Rotation(input=True, outputs=("cls_8",)),
        "strategy": "explicit",
        "exact": True,
        "converter": "onnx2tf",
        "precision": "float32",
        "tools": {"onnx2tf": "2.6.9"},
        "ancestors": {"onnx": "0" * 64},
    }
    return Passport(**{**values, **changes})


def test_outputs_are_matched_by_name_whatever_their_order():
    expected = [nchw("cls_8", 4), nchw("box_8", 4)]
    found = [nhwc("box_8", 4), nhwc("cls_8", 4)]
    assert match_outputs(expected, found) == {"cls_8": "cls_8", "box_8": "box_8"}


def test_an_output_with_an_invented_name_is_matched_by_a_shape_of_its_own():
    expected = [nchw("cls_8", 2), nchw("obj_8", 1)]
    found = [nhwc("Identity", 1), nhwc("Identity_1", 2)]
    assert match_outputs(expected, found) == {"cls_8": "Identity_1", "obj_8": "Identity"}


def test_a_name_is_taken_before_a_shape():
    expected = [nchw("cls_8", 4), nchw("box_8", 4)]
    found = [nhwc("Identity", 4), nhwc("cls_8", 4)]
    assert match_outputs(expected, found) == {"cls_8": "cls_8", "box_8": "Identity"}


@pytest.mark.parametrize(
    ("onnx", "tflite", "layout"),
    [
        ((1, 2, 4, 6), (1, 4, 6, 2), "nhwc"),
        ((1, 2, 4, 6), (1, 2, 4, 6), "onnx"),
        ((1, 4, 4, 4), (1, 4, 4, 4), "nhwc"),
        ((1, 8, 1, 1), (1, 8, 1, 1), "onnx"),
        ((1, 840, 85), (1, 840, 85), "onnx"),
        ((1, 5), (1, 5), "onnx"),
    ],
)
def test_an_output_is_nhwc_or_as_the_onnx_has_it(onnx, tflite, layout):
    expected, found = Tensor(name="a", shape=onnx), Tensor(name="b", shape=tflite)
    assert match_outputs([expected], [found]) == {"a": "b"}
    assert describe_output(expected, found) == TfliteOutput(name="a", shape=tflite, layout=layout)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([nhwc("x", 4), nhwc("y", 4)], "x [1, 4, 6, 4], y [1, 4, 6, 4]"),
        ([nhwc("cls_8", 3), nhwc("box_8", 4)], "cls_8 [1, 4, 6, 3]"),
        ([nhwc("box_8", 4)], "nothing"),
    ],
    ids=["two of one shape", "wrong channels", "one missing"],
)
def test_an_output_that_cannot_be_identified_is_refused(found, reason):
    with pytest.raises(ModelError) as refusal:
        match_outputs([nchw("box_8", 4), nchw("cls_8", 4)], found)
    assert reason in refusal.value.found


def test_renaming_changes_what_an_output_is_called_and_nothing_that_it_computes(
    tmp_path, write_tflite
):
    path = write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS)
    model = read_model(path)
    rename_outputs(model, {"cls_8": "a", "obj_8": "b"})
    write_model(model, tmp_path / "renamed.tflite")
    names = [tensor.name for tensor in output_tensors(read_model(tmp_path / "renamed.tflite"))]
    assert names == ["obj_8", "cls_8"]  # the file's outputs stand in reverse order
    ones = np.ones(SHAPE, np.float32)
    runner = TfliteRunner(tmp_path / "renamed.tflite", ["cls_8", "obj_8"], 1, xnnpack=False)
    outputs = runner.infer(ones)
    assert outputs["cls_8"].tolist() == np.full((1, 2, 4, 6), 3 * 2).tolist()
    assert outputs["obj_8"].tolist() == np.full((1, 1, 4, 6), 3 * 1).tolist()


def test_a_passport_is_read_back_as_it_was_written(tmp_path, write_tflite):
    path = write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS)
    model = read_model(path)
    write_passport(model, passport())
    write_model(model, path)
    assert read_passport(path) == passport()


def test_a_new_passport_takes_the_place_of_the_old_one(tmp_path, write_tflite):
    path = write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS)
    model = read_model(path)
    write_passport(model, passport(precision="float32"))
    write_passport(model, passport(precision="int8"))
    write_model(model, path)
    assert read_passport(path).precision == "int8"
    assert [entry.name for entry in read_model(path).metadata] == [PASSPORT.encode()]


def test_a_file_without_a_passport_or_of_another_kind_is_refused(tmp_path, write_tflite):
    path = write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS)
    with pytest.raises(ModelError, match="has no passport"):
        read_passport(path)
    path.write_bytes(b"PK\x03\x04 a zip archive")
    with pytest.raises(ModelError, match="is not a TFLite file"):
        read_passport(path)
