"""A picture's size is known from its header, before memory is taken for it."""

import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet2tflite.errors import DataError
from mmdet2tflite.files.image_file import VARIABLE, decode_image, read_image_file

WIDTH, HEIGHT = 37, 23
PICTURE = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
OPTIONS = {
    "lossy webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 50]),
    "lossless webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
    "progressive": (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    **{suffix: (suffix, []) for suffix in (".bmp", ".jpg", ".png", ".tiff")},
}


def encoded(name: str) -> bytes:
    suffix, options = OPTIONS[name]
    return cv2.imencode(suffix, PICTURE, options)[1].tobytes()


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def with_size(name: str, width: int, height: int) -> bytes:
    """The same file, whose header claims another size."""
    if name == ".png":
        return png(width, height)
    content = encoded(name)
    if name == ".bmp":
        return content[:18] + struct.pack("<ii", width, height) + content[26:]
    if name == ".tiff":
        for side, claimed in ((WIDTH, width), (HEIGHT, height)):
            tag = 256 if side == WIDTH else 257
            at = content.index(struct.pack("<HHI", tag, 3, 1))
            content = content[:at] + struct.pack("<HHII", tag, 4, 1, claimed) + content[at + 12 :]
        return content
    return content.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", height, width), 1)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_format_decodes_as_opencv_does(name, tmp_path) -> None:
    (tmp_path / "x.png").write_bytes(encoded(name))  # the name's ending does not matter
    pixels = decode_image(read_image_file(tmp_path / "x.png"))
    expected = cv2.imdecode(np.frombuffer(encoded(name), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_header_is_read_in_every_format(name, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(WIDTH * HEIGHT))
    decode_image(encoded(name))
    monkeypatch.setenv(VARIABLE, str(WIDTH * HEIGHT - 1))
    with pytest.raises(DataError, match=f"has {WIDTH} x {HEIGHT} pixels, as its header says"):
        decode_image(encoded(name))


@pytest.mark.parametrize("name", [".png", ".jpg", "progressive", ".bmp", ".tiff"])
def test_a_size_that_is_a_lie_or_a_bomb_takes_no_memory(name, tmp_path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(with_size(name, 60000, 50000))
    code = (
        "import sys, resource; from pathlib import Path\n"
        "from mmdet2tflite.errors import DataError\n"
        "from mmdet2tflite.files.image_file import *\n"
        "for read in (lambda: read_image_file(Path(sys.argv[1])),\n"
        "             lambda: decode_image(Path(sys.argv[1]).read_bytes())):\n"
        "    try: read()\n"
        "    except DataError as error: print(error.found)\n"
    )
    limit = 1_000_000_000
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.stdout.splitlines() == ["has 60000 x 50000 pixels, as its header says"] * 2, done


@pytest.mark.parametrize("content", [b"", b"x", b"GIF89a", b"BM", b"\xff\xd8\xff", b"RIFF"])
def test_what_has_no_header_is_no_image(content, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be decoded as an image"):
        decode_image(content)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match="cannot be decoded as an image"):
        read_image_file(tmp_path / "x")


@given(
    name=st.sampled_from(list(OPTIONS)),
    changes=st.lists(st.tuples(st.integers(0, 80), st.binary(min_size=1, max_size=4)), max_size=4),
    end=st.integers(0, 3000),
)
@settings(max_examples=400, deadline=None, derandomize=True)
def test_a_damaged_file_is_an_image_or_a_data_error(name, changes, end) -> None:
    content = encoded(name)
    for place, new in changes:
        content = content[:place] + new + content[place + len(new) :]
    try:
        pixels = decode_image(content[:end])
    except DataError:
        return
    assert pixels.shape[0] * pixels.shape[1] <= 2**26
