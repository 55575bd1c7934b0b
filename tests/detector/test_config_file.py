from pathlib import Path

import pytest

from mmdet2tflite.detector.config_file import config_digests
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.files.digest import file_sha256


def test_a_configs_local_bases_are_followed_and_those_of_packages_are_not(tmp_path):
    (tmp_path / "base.py").write_text("_base_ = ['./root.py', 'mmdet::yolox/yolox_s.py']\n")
    (tmp_path / "root.py").write_text("a = 1\n")
    mine = tmp_path / "mine.py"
    mine.write_text("_base_ = 'base.py'\nmodel = dict()\n")
    names = ("mine.py", "base.py", "root.py")
    assert config_digests(mine) == [file_sha256(tmp_path / name) for name in names]


def test_the_digests_of_a_config_do_not_say_where_it_is(tmp_path, monkeypatch):
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        (folder / "base.py").write_text("a = 1\n")
        (folder / "mine.py").write_text("_base_ = ['./base.py', '../base.py']\n")
    (tmp_path / "base.py").write_text("a = 2\n")
    monkeypatch.chdir(tmp_path / "other")
    one, other = config_digests(tmp_path / "one" / "mine.py"), config_digests(Path("mine.py"))
    assert one == other
    assert len(one) == 3


def test_a_base_that_changes_changes_the_digests(tmp_path):
    base, mine = tmp_path / "base.py", tmp_path / "mine.py"
    base.write_text("a = 1\n")
    mine.write_text("_base_ = 'base.py'\n")
    before = config_digests(mine)
    base.write_text("a = 2\n")
    assert config_digests(mine) != before


def test_two_configs_that_name_each_other_do_not_run_in_circles(tmp_path):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("_base_ = 'other.py'\n")
    other.write_text("_base_ = 'one.py'\n")
    assert len(config_digests(one)) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file"), ("model = dict(\n", "is not Python")],
)
def test_a_config_that_is_missing_or_no_python_is_refused(tmp_path, content, reason):
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=reason):
        config_digests(path)
