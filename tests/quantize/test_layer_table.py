"""What layers.json says of a layer."""

from mmdet2tflite.quantize.layer_groups import Layer
from mmdet2tflite.quantize.layer_table import layer_table

FIRST = Layer("CONV_2D", ("conv", "gate", "silu"), ("image",), 9, 9)
SUM = Layer("ADD", ("sum",), ("silu", "other"), 3, 0)
SNR = {"image": 200.0, "conv": 50.0, "silu": 30.0, "other": 20.0, "sum": 19.0}


def test_a_layer_has_the_snr_of_its_last_tensor_and_of_the_worst_it_reads():
    found = layer_table([FIRST, SUM], SNR, {"conv": 0.75, "sum": 0.25}, {"conv"}, images=8)
    assert found == {
        "images": 8,
        "layers": [
            {
                "layer": "conv",
                "operator": "CONV_2D",
                "output": "silu",
                "snr_db": 30.0,
                "source_snr_db": 200.0,
                "share": 0.75,
                "float32": True,
            },
            {
                "layer": "sum",
                "operator": "ADD",
                "output": "sum",
                "snr_db": 19.0,
                "source_snr_db": 20.0,
                "share": 0.25,
                "float32": False,
            },
        ],
    }


def test_what_is_not_known_is_null():
    (layer,) = layer_table([SUM], {}, {}, (), images=8)["layers"]
    assert (layer["snr_db"], layer["source_snr_db"], layer["share"]) == (None, None, None)


def test_a_source_that_is_not_known_does_not_count():
    (layer,) = layer_table([SUM], {"other": 20.0, "sum": 19.0}, {}, (), images=8)["layers"]
    assert layer["source_snr_db"] == 20.0
