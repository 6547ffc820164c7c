"""Samples of a folder of images; its sub-folders are classes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from microwright import data as datas
from microwright._user_code import reason
from microwright.data import MAX_BYTES, Data, Input, shape_text
from microwright.errors import InputError, ToolMissing
from microwright.graph import Array
from microwright.progress import Progress
from microwright.sources.base import FORMS, Source, only_input

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# Pillow's other formats are rare, and some start programs.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# A photo has less; a small file can claim much more.
_MAX_PIXELS = 1 << 26
# Channels of the model -> mode of the image.
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_SCALE = "say what black and white are for the model: --image-scale 0..1, -1..1 or 0..255"


def read(source: Source, inputs: Sequence[Input] | None, progress: Progress) -> Data:
    """Images in the model's size, float32; those of a sub-folder are a class, in the order of the names.

    An image is converted to grey, RGB or RGBA, as the model has 1, 3 or 4 channels, and resized by Pillow's
    bilinear filter. A pixel p of 0 to 255 becomes low + p / 255 * (high - low), for the `image_scale`
    (low, high).

    Raises InputError for a folder without images, a damaged one, or a model that takes no images, ToolMissing
    without Pillow.
    """
    folder = Path(source.where)
    if inputs is None:
        raise InputError(f"{folder}: the size of images is the model's, and no model is given", FORMS)
    shape = only_input(source, inputs, "a folder of images").shape
    channels = shape[2] if len(shape) == 3 else 1
    if len(shape) not in (2, 3) or channels not in _MODES:
        raise InputError(
            f"{folder}: the model takes {shape_text(shape)}, which is no image of 1, 3 or 4 channels", FORMS
        )
    if source.image_scale is None:
        raise InputError(f"{folder}: images need a scale", _SCALE)
    files, labels, classes = _files(folder)
    size_bytes = 4 * len(files) * int(np.prod(shape))
    if size_bytes > MAX_BYTES:
        raise InputError(f"{folder}: {len(files)} images take more than {MAX_BYTES} bytes", "give fewer")
    low, high = source.image_scale
    samples = np.empty((len(files), *shape), np.float32)
    for number, file in enumerate(files):
        progress("read images", number, len(files))
        pixels = _pixels(file, shape[1], shape[0], _MODES[channels]).reshape(shape)
        samples[number] = pixels / np.float32(255) * np.float32(high - low) + np.float32(low)
    progress("read images", len(files), len(files))
    return datas.make((samples,), labels, classes=classes, where=str(folder))


def _files(folder: Path) -> tuple[list[Path], Array | None, tuple[str, ...]]:
    """The images, and where there are sub-folders the class of each and the names of all."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [path for path in entries if path.is_dir()]
    images = [path for path in entries if _is_image(path)]
    if images and folders:
        raise InputError(
            f"{folder} has images and folders: {images[0].name[:80]!r}, {folders[0].name[:80]!r}",
            "give a folder of images, or one with a folder for each class",
        )
    found = [sorted(filter(_is_image, each.rglob("*"))) for each in folders]
    if not images and not any(found):
        raise InputError(
            f"{folder} has no images", "give a folder of " + ", ".join(SUFFIXES) + ", or of one a class"
        )
    if not folders:
        return images, None, ()
    labels = np.repeat(np.arange(len(folders)), [len(each) for each in found])
    return [path for each in found for path in each], labels, tuple(path.name for path in folders)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _pixels(path: Path, width: int, height: int, mode: str) -> Array:
    """Pixels of 0 to 255, (height, width) or (height, width, channels)."""
    pillow = _pillow()
    try:
        with warnings.catch_warnings():
            # Of large images, which are limited here, and of what it can read all the same.
            warnings.simplefilter("ignore")
            with pillow.open(path, formats=_FORMATS) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise InputError(
                        f"{path}: {image.width}x{image.height} pixels, more than {_MAX_PIXELS}",
                        "give a smaller image",
                    )
                if image.mode.startswith(("I", "F")):
                    raise InputError(
                        f"{path}: pixels of more than 8 bits (mode {image.mode})", "convert it to 8 bits"
                    )
                resized = image.convert(mode).resize((width, height), pillow.Resampling.BILINEAR)
                return np.asarray(resized, np.uint8)
    except InputError:
        raise
    # Pillow raises whatever the damage happens to hit, and an error of its own for too many pixels.
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as an image: {reason(error)}", "remove it or save it again"
        ) from None


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ToolMissing(
            "Pillow is not installed, which reads images", "pip install 'microwright[images]'"
        ) from None
    return Image
