"""The config beside the weights does not tell where they were trained."""

from pathlib import Path

from mmdet2tflite.detector.saved_config import without_places

DATA, IMAGES, WORK = Path("/store/dataset/abc"), Path("/home/me/photos"), Path("/store/.work/def")


def test_paths_of_the_data_and_of_the_work_are_relative_to_them():
    settings = {
        "work_dir": "/store/.work/def/run",
        "train_dataloader": {
            "dataset": {
                "ann_file": "/store/dataset/abc/train.json",
                "data_prefix": {"img": "/home/me/photos"},
            }
        },
        "val_evaluator": [{"type": "CocoMetric", "ann_file": "/store/dataset/abc/val.json"}],
    }
    assert without_places(settings, [DATA, IMAGES, WORK]) == {
        "work_dir": "run",
        "train_dataloader": {
            "dataset": {"ann_file": "train.json", "data_prefix": {"img": "."}},
        },
        "val_evaluator": [{"type": "CocoMetric", "ann_file": "val.json"}],
    }


def test_all_else_stays_as_it_is_and_of_its_type():
    settings = {
        "scale": (256, 160),
        "names": ["a/b", "/store/dataset/abcdef/train.json", "/etc"],
        "nothing": None,
        "rate": 0.5,
        "on": True,
    }
    assert without_places(settings, [DATA, IMAGES, WORK]) == settings
    assert isinstance(without_places(settings, [DATA])["scale"], tuple)
    assert without_places(settings, [DATA])["on"] is True
