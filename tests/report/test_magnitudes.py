"""What is said of the largest magnitudes."""

from mmdet2tflite.report.magnitudes import SHOWN, describe_magnitudes


def table(**largest):
    tensors = [
        {"tensor": name, "operator": "CONV_2D", "shape": [1, 2], "largest": value}
        for name, value in largest.items()
    ]
    return {"limit": 65504.0, "samples": 8, "tensors": tensors}


def test_every_file_has_a_sentence_and_its_largest_few():
    many = table(**{f"t{number}": float(number) for number in range(SHOWN + 3)})
    (file,) = describe_magnitudes({"a · b · float32": many})
    assert file["sentence"] == f"a · b · float32: at most {SHOWN + 2}, in t{SHOWN + 2} (CONV_2D)"
    assert [each["largest"] for each in file["tensors"]] == [7, 6, 5, 4, 3]
    assert file["overflow"] == ""


def test_a_file_that_exceeds_float16_says_so():
    (file,) = describe_magnitudes({"a": table(x=65505.0, y=1.0)})
    assert file["overflow"].startswith("a: x of CONV_2D reaches 65,505, and float16 ends at 65,504")


def test_a_file_without_reals_is_not_listed():
    assert describe_magnitudes({"a": table()}) == []
