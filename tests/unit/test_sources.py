"""Tables, folders of images and Python generators as samples: what is read, what is refused."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from microwright import sources
from microwright.data import Data, Input
from microwright.errors import InputError
from microwright.sources import Source

IMAGE = (Input("image", (4, 6, 3)),)
ROW = (Input("row", (2,)),)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def read(path: Path, inputs: Any = ROW, label: str | None = None) -> Data:
    return sources.load(Source(str(path), label=label), inputs)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_with_a_header_and_named_classes(tmp_path: Path, separator: str) -> None:
    rows = ["width,kind,height", "1.5,oak,2", "0.25, ash ,-3e2", "", "7,oak,8"]
    path = write(tmp_path / "trees.csv", "\n".join(rows).replace(",", separator))
    loaded = read(path, label="kind")
    assert loaded.inputs[0].tolist() == [[1.5, 2], [0.25, -300], [7, 8]]
    assert loaded.inputs[0].dtype == np.float32
    assert loaded.classes == ("ash", "oak")
    assert loaded.labels is not None
    assert loaded.labels.tolist() == [1, 0, 1]


def test_options_of_other_sources_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.zeros((3, 2), np.float32), label=np.arange(3))
    for source, says in (
        (Source(str(tmp_path / "s.npz"), label="label"), r"s\.npz: a label column is for a table"),
        (Source("mine:samples", label="0"), "mine:samples: a label column is for a table"),
        (Source(str(tmp_path / "s.npz"), image_scale=(0, 1)), "an image scale is for a folder of images"),
    ):
        with pytest.raises(InputError, match=says):
            sources.load(source, ROW)


def test_a_table_without_a_header_counts_its_columns(tmp_path: Path) -> None:
    loaded = read(write(tmp_path / "t.csv", "0,1.5,2\n2,3,4\n"), label="0")
    assert loaded.inputs[0].tolist() == [[1.5, 2], [3, 4]]
    assert loaded.labels is not None
    assert loaded.labels.tolist() == [0, 2]
    assert loaded.classes == ()


def test_a_table_without_labels(tmp_path: Path) -> None:
    loaded = read(write(tmp_path / "t.csv", '"a","b"\n1,2\n'))
    assert loaded.inputs[0].tolist() == [[1, 2]]
    assert loaded.labels is None


def test_labels_that_are_no_whole_numbers_are_targets(tmp_path: Path) -> None:
    loaded = read(write(tmp_path / "t.csv", "a,b,t\n1,2,0.5\n3,4,1\n"), label="t")
    assert loaded.labels is not None
    assert loaded.labels.tolist() == [0.5, 1.0]


def test_columns_take_the_shape_of_the_models_input(tmp_path: Path) -> None:
    rows = "\n".join(",".join(str(10 * r + c) for c in range(6)) for r in range(3))
    loaded = read(write(tmp_path / "t.csv", rows), [Input("x", (3, 2, 1))])
    assert loaded.inputs[0].shape == (3, 3, 2, 1)
    assert loaded.inputs[0][2, 1, 0, 0] == 22


@pytest.mark.parametrize(
    ("text", "label", "says"),
    [
        ("a,b\n1,2\n3\n", None, "line 3: 1 columns, expected 2"),
        ("a,b\n1,2\n3,x\n", None, "line 3: column 'b' has 'x', no number"),
        ("a,k,b\n1,u,2\n3,v,y\n", "k", "line 3: column 'b' has 'y', no number"),
        ("1,2\n3,\n", None, "line 2: column 1 has '', no number"),
        ("a,b,c\n1,2,3\n", None, "3 columns of features, the model takes 2"),
        ("a,b,c\n1,2,3\n", "d", "no columns 'd'"),
        ("a,a,b\n1,2,3\n", "a", "2 columns 'a'"),
        ("kind,b,c\n1,2,3\n", "kimd", "did you mean 'kind'"),
        ("1,2,3\n4,5,6\n", "kind", "the first row names no columns"),
        ("1,2,3\n4,5,6\n", "3", "no column '3'"),
        ("a,b\n", None, "no samples"),
        ("", None, "no samples"),
        ("1,nan\n", None, "NaN or infinity, first in sample 0"),
        ("1,1e300\n", None, "NaN or infinity, first in sample 0"),
        ("a,b,k\n1,2,-1\n", "k", "class indices from -1"),
        ("k\n1\n", "k", "0 columns of features"),
        ("1" * (1 << 24), None, "a line of 16777216 characters or more"),
        ("1,2\n1," + "2" * 200_000, None, "cannot be read: field larger than field limit"),
    ],
)
def test_wrong_tables(tmp_path: Path, text: str, label: str | None, says: str) -> None:
    with pytest.raises(InputError) as error:
        read(write(tmp_path / "t.csv", text), label=label)
    assert says in error.value.message
    assert "\n" not in error.value.message + error.value.hint


def test_a_table_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"1,\xff\xfe\n")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "t.csv")


def test_a_table_fills_one_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the model has 2 inputs"):
        read(write(tmp_path / "t.csv", "1,2\n"), [*ROW, *ROW])


def picture(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def scaled(folder: Path, inputs: Any = IMAGE, scale: Any = (0.0, 1.0)) -> Data:
    return sources.load(Source(str(folder), scale), inputs)


def test_folders_of_images_are_classes(tmp_path: Path) -> None:
    pixels = np.arange(72).reshape(4, 6, 3)
    picture(tmp_path / "dog" / "b.png", pixels)
    picture(tmp_path / "cat" / "deeper" / "a.bmp", pixels + 100)
    picture(tmp_path / "dog" / "a.png", pixels + 50)
    (tmp_path / "empty").mkdir()
    write(tmp_path / "dog" / "notes.txt", "not an image")
    write(tmp_path / ".DS_Store", "hidden")
    loaded = scaled(tmp_path)
    assert loaded.classes == ("cat", "dog", "empty")
    assert loaded.labels is not None
    assert loaded.labels.tolist() == [0, 1, 1]
    expected = np.stack([pixels + 100, pixels + 50, pixels]).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(loaded.inputs[0], expected)


@pytest.mark.parametrize(
    ("scale", "low", "high"), [((0, 1), 0, 1), ((-1, 1), -1, 1), ((0, 255), 0, 255), ((-128, 127), -128, 127)]
)
def test_black_and_white_are_what_the_user_says(tmp_path: Path, scale: Any, low: float, high: float) -> None:
    picture(tmp_path / "a.png", [[0] * 3 + [255] * 3] * 4)
    loaded = scaled(tmp_path, [Input("x", (4, 6))], scale)
    assert loaded.labels is None
    assert loaded.inputs[0].tolist() == [[[low] * 3 + [high] * 3] * 4]


def test_size_and_channels_are_the_models(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg", np.full((50, 40, 3), 128))
    for shape in ((8, 5, 1), (8, 5), (8, 5, 3), (8, 5, 4)):
        loaded = scaled(tmp_path, [Input("x", shape)], (0, 255))
        assert loaded.inputs[0].shape == (1, *shape)
        assert np.abs(loaded.inputs[0][..., :3] - 128).max() <= 1


def bomb(side: int) -> bytes:
    """A PNG of some hundred bytes that claims to be a square of as many pixels a side."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_images_that_hurt(tmp_path: Path) -> None:
    for name, content, says in (
        ("huge.png", bomb(30_000), "pixels"),
        # Pillow itself would only warn.
        ("large.png", bomb(9_000), "9000x9000 pixels, more than"),
        ("empty.png", b"", "cannot be read as an image"),
        ("text.jpg", b"hello", "cannot be read as an image"),
        ("script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot be read as an image"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=says) as error:
            scaled(tmp_path)
        assert name in error.value.message
        assert "\n" not in error.value.message
        (tmp_path / name).unlink()


def test_every_cut_of_an_image_is_refused_or_whole(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", np.arange(72).reshape(4, 6, 3))
    whole = (tmp_path / "a.png").read_bytes()
    expected = scaled(tmp_path).inputs[0]
    refused = 0
    for size in range(0, len(whole), 3):
        (tmp_path / "a.png").write_bytes(whole[:size])
        try:
            np.testing.assert_array_equal(scaled(tmp_path).inputs[0], expected)
        except InputError:
            refused += 1
    assert refused > 10


def test_images_of_sixteen_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 6), 30_000, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="more than 8 bits"):
        scaled(tmp_path)


def test_folders_that_are_no_samples(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no images"):
        scaled(tmp_path)
    picture(tmp_path / "a.png", np.zeros((4, 6, 3)))
    with pytest.raises(InputError, match="images need a scale") as error:
        scaled(tmp_path, scale=None)
    assert "--image-scale" in error.value.hint
    with pytest.raises(InputError, match="takes 10, which is no image"):
        scaled(tmp_path, [Input("x", (10,))])
    with pytest.raises(InputError, match="takes 4x6x2, which is no image"):
        scaled(tmp_path, [Input("x", (4, 6, 2))])
    with pytest.raises(InputError, match="no model is given"):
        scaled(tmp_path, None)
    picture(tmp_path / "cat" / "a.png", np.zeros((4, 6, 3)))
    with pytest.raises(InputError, match="images and folders"):
        scaled(tmp_path)


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # Neither a test before nor one after this sees the same "mine".
    monkeypatch.setattr(sys, "modules", {k: v for k, v in sys.modules.items() if k != "mine"})
    # A module that was just written is not in the finder's cache yet.
    monkeypatch.setattr(sys, "path_importer_cache", {})
    return tmp_path


def test_a_generator_of_samples_and_labels(working_folder: Path) -> None:
    write(
        working_folder / "mine.py",
        "import numpy as np\n"
        "def samples():\n"
        "    for i in range(3):\n"
        "        yield np.full((1, 2), i, np.float32), i % 2\n",
    )
    path = list(sys.path)
    loaded = sources.load("mine:samples", ROW)
    assert loaded.inputs[0].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert loaded.inputs[0].dtype == np.float32
    assert loaded.labels is not None
    assert loaded.labels.tolist() == [0, 1, 0]
    assert sys.path == path


def test_a_representative_dataset_of_two_inputs(working_folder: Path) -> None:
    write(
        working_folder / "mine.py",
        "import numpy as np\n"
        "def representative_dataset():\n"
        "    return ([np.ones((1, 2)), np.ones((1, 4, 6, 3))] for _ in range(5))\n",
    )
    loaded = sources.load("mine:representative_dataset", [*ROW, *IMAGE])
    assert [a.shape for a in loaded.inputs] == [(5, 2), (5, 4, 6, 3)]
    assert loaded.labels is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("f = 3", "has no function 'f'"),
        ("def f(): return 3", "gives int, not samples"),
        ("def f(): return []", "yields no samples"),
        ("def f(): yield 'text'", "sample 0 is str, not numbers"),
        ("def f(): yield 1, 2, 3", "sample 0 is a tuple of 3"),
        ("def f():\n    yield [1.0]\n    yield [1.0, 2.0]", "sample 1 is scalar, scalar, the first scalar"),
        ("def f():\n    yield 1.0\n    yield 1.0, 2", "some samples have a label and some do not"),
        ("def f():\n    yield 1.0, 2\n    yield 1.0", "some samples have a label and some do not"),
        ("def f():\n    yield 1.0\n    raise RuntimeError('no\\nmore')", "failed: RuntimeError: no more"),
        ("def f(a): yield a", "failed: TypeError"),
        ("import nothing_like_this", "importing mine failed: ModuleNotFoundError"),
        ("raise SystemExit(3)", "importing mine failed: SystemExit: 3"),
        ("def f(:", "importing mine failed: SyntaxError"),
        ("def f():\n    while True: yield b'', 1", "sample 0 is bytes, not numbers"),
        (
            "import numpy as np\ndef f():\n    while True: yield np.broadcast_to(np.float64(1), (1 << 28,))",
            "yields more than",
        ),
    ],
)
def test_wrong_generators(working_folder: Path, body: str, says: str) -> None:
    write(working_folder / "mine.py", body)
    with pytest.raises(InputError) as error:
        sources.load("mine:f")
    assert says in error.value.message
    assert "\n" not in error.value.message + error.value.hint


def test_a_module_that_is_not_there(working_folder: Path) -> None:
    with pytest.raises(InputError, match="importing nowhere failed"):
        sources.load("nowhere:f")
