"""Reads an image file of a user's: what it claims to be is checked before memory is taken for it.

A PNG of a few kilobytes can hold 60000 x 60000 pixels, and the header of a JPEG can claim what it
likes. So the size is read from the header, and only then is the picture decoded. Only the formats
whose headers are read here reach OpenCV, by their first bytes and not by their names.

Needs numpy and OpenCV, and no more: a shipped detector reads its pictures here.
"""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import DataError
from mmdet2tflite.files.regular_file import open_user_file

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Of image files, in lower case; OpenCV reads and writes them."""
MOST_BYTES = 256_000_000
"""Of a file."""
VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"
"""OpenCV's own, whose limit would be 2**30: 3 GB for one picture."""
MOST_PIXELS = 2**26
"""67 million: 200 MB decoded, three times that on the way from a progressive JPEG."""
LARGE = 2**23
"""Of pictures with more pixels than this, one is decoded at a time."""

_one_large_picture = Lock()

type Size = tuple[int, int]
"""Width and height in pixels."""


class _NoImage(ValueError):
    """No header of a format that is read."""


def read_image_file(path: Path) -> bytes:
    """The content of an image file whose header is that of a picture that may be decoded.

    Raises:
        OSError: it is no regular file, or too large (``regular_file.open_user_file``).
        DataError: it is no image, or has too many pixels.
    """
    with open_user_file(path, MOST_BYTES) as file:
        _check(_size(file))
        file.seek(0)
        return file.read(MOST_BYTES)


def decode_image(content: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image as H x W x 3, BGR, rotated as its EXIF data says, as mmdet reads it.

    Args:
        content: of a file; as an array, with one axis.

    Raises:
        DataError: it is no image, is damaged, or has too many pixels.
    """
    width, height = _size(BytesIO(content))
    _check((width, height))
    with _one_large_picture if width * height > LARGE else nullcontext():
        try:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:  # what the header says is too much for OpenCV
            image = None
    if image is None:
        raise DataError(
            "cannot be decoded as an image",
            "a complete image file",
            "replace the file, or leave it out",
        )
    return image.astype(np.uint8, copy=False)


def most_pixels() -> int:
    """``MOST_PIXELS``, or what the environment says that OpenCV's limit is."""
    value = os.environ.get(VARIABLE, "")
    return int(value) if value.isdecimal() else MOST_PIXELS


def _check(size: Size) -> None:
    width, height = size
    if width * height > most_pixels():
        raise DataError(
            f"has {width} x {height} pixels, as its header says",
            f"at most {most_pixels()} pixels",
            f"scale it down or cut it into tiles, or set {VARIABLE} if there is memory for it",
        )


def _size(file: BinaryIO) -> Size:
    """Largest width and height that a file's header makes OpenCV take memory for."""
    start = file.read(32)
    for signature, read in FORMATS:
        if start.startswith(signature):
            try:
                return read(file, start)
            except (struct.error, ValueError, OverflowError):  # it ends early, or points nowhere
                break
    raise DataError(
        "cannot be decoded as an image",
        "a complete BMP, JPEG, PNG, TIFF or WebP file",
        "replace the file, or leave it out",
    )


def _png(_: BinaryIO, start: bytes) -> Size:
    if start[12:16] != b"IHDR":
        raise _NoImage
    width, height = struct.unpack_from(">II", start, 16)
    return width, height


def _bmp(_: BinaryIO, start: bytes) -> Size:
    (header,) = struct.unpack_from("<I", start, 14)
    form = "<HH" if header == 12 else "<ii"  # OS/2, and all others
    width, height = struct.unpack_from(form, start, 18)
    return abs(width), abs(height)  # rows from the top downwards have a negative height


def _webp(_: BinaryIO, start: bytes) -> Size:
    kind = start[8:16]
    if kind == b"WEBPVP8X":
        width, height = (int.from_bytes(start[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"WEBPVP8L":
        (bits,) = struct.unpack_from("<I", start, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"WEBPVP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", start, 26))
    else:
        raise _NoImage
    return width, height


FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""JPEG's markers of a frame, which begins with the size."""
LONGEST_SEARCH = 2**20
"""Bytes outside of JPEG's segments until the frame is found."""
ALONE = {0x01, *range(0xD0, 0xD8)}
"""JPEG's markers without a length."""


def _jpeg(file: BinaryIO, _: bytes) -> Size:
    """As libjpeg looks for the frame: from marker to marker, over whatever is between them."""
    file.seek(2)
    budget = iter(range(LONGEST_SEARCH))
    while True:
        marker = _next_marker(file, budget)
        if marker in ALONE:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker in FRAMES:
            height, width = struct.unpack(">xHH", file.read(5))
            return width, height
        if marker in (0xD8, 0xD9, 0xDA) or length < 2:  # a second start, the end, a scan
            raise _NoImage
        file.seek(length - 2, os.SEEK_CUR)


def _next_marker(file: BinaryIO, budget: Iterator[int]) -> int:
    before = b""
    for _ in budget:
        following = file.read(1)
        if not following:
            break
        if before == b"\xff" and following not in (b"\x00", b"\xff"):
            return following[0]
        before = following
    raise _NoImage


SIDES = {256, 257, 322, 323}
"""TIFF's tags: width, height, and those of a tile, for which memory is taken as well."""
FIELDS = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""TIFF's types of whole numbers."""


def _tiff(file: BinaryIO, start: bytes) -> Size:
    """Of the first picture, the only one that is read; of a tile, if that is larger."""
    order = "<" if start[:2] == b"II" else ">"
    big = 43 in start[2:4]
    count, entry, number = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    (place,) = struct.unpack_from(order + number, start, 8 if big else 4)
    file.seek(place)
    (entries,) = struct.unpack(order + count, file.read(struct.calcsize(order + count)))
    sides: dict[int, int] = {}
    for _ in range(min(entries, 2**16)):
        tag, kind, _, value = struct.unpack(
            order + entry, file.read(struct.calcsize(order + entry))
        )
        if tag in SIDES and kind in FIELDS:
            (side,) = struct.unpack_from(order + FIELDS[kind], value)
            sides[tag] = max(side, sides.get(tag, 0))
    if not {256, 257} <= sides.keys():
        raise _NoImage
    return max(sides[256], sides.get(322, 0)), max(sides[257], sides.get(323, 0))


FORMATS: tuple[tuple[bytes, Callable[[BinaryIO, bytes], Size]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"BM", _bmp),
    (b"RIFF", _webp),
    (b"II*\x00", _tiff),
    (b"MM\x00*", _tiff),
    (b"II+\x00", _tiff),
    (b"MM\x00+", _tiff),
)
"""First bytes of a file, and how the size is read."""
