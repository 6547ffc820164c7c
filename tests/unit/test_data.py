"""Samples from files: what is taken, and what each wrong file is told."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import data, sources
from microwright.errors import InputError
from microwright.graph import Graph, Quantization, Tensor


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_one_input_and_labels(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.float32).reshape(6, 4)
    loaded = sources.load(save(tmp_path / "d.npz", x=x, y=[0, 1, 2, 0, 1, 2]))
    np.testing.assert_array_equal(loaded.inputs[0], x)
    assert loaded.samples == 6
    assert loaded.labels is not None
    assert loaded.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_several_inputs_in_order(tmp_path: Path) -> None:
    loaded = sources.load(save(tmp_path / "d.npz", x1=np.ones((3, 2)), x0=np.zeros((3, 5), np.int8)))
    assert [array.shape for array in loaded.inputs] == [(3, 5), (3, 2)]
    assert loaded.labels is None


def test_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.ones((3, 2), np.int8))
    assert sources.load(tmp_path / "d.npy").inputs[0].dtype == np.int8


def test_compressed_archives_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=np.ones((3, 2)))
    assert sources.load(tmp_path / "d.npz").samples == 3


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ([[1], [0], [2]], [1, 0, 2]),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], [1, 0, 2]),
        ([1.0, 0.0, 2.0], [1, 0, 2]),
        ([True, False, True], [1, 0, 1]),
    ],
)
def test_labels_become_class_indices(given: Any, labels: list[int]) -> None:
    made = data.make((np.ones((3, 2)),), np.array(given)).labels
    assert made is not None
    assert made.dtype == np.int64
    assert made.tolist() == labels


def test_targets_stay_targets() -> None:
    targets = np.array([[0.5, 0.25], [1.0, 0.0], [0.0, 1.0]])
    made = data.make((np.ones((3, 2)),), targets).labels
    assert made is not None
    np.testing.assert_array_equal(made, targets.astype(np.float32))


def bad_zip_member() -> bytes:
    whole = io.BytesIO()
    np.savez(whole, x=np.arange(1000))
    return whole.getvalue().replace(np.arange(1000).tobytes()[:64], b"\xff" * 64)


def lying_header() -> bytes:
    """A `.npy` of 80 bytes that claims 10^14 elements."""
    whole = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**14,)}
    np.lib.format.write_array_header_1_0(whole, header)
    return whole.getvalue()


def pickled() -> bytes:
    whole = io.BytesIO()
    np.savez(whole, x=np.array([{"a": 1}], dtype=object))
    return whole.getvalue()


def bomb() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", b"\0" * 1000)
    # The directory claims more than the file holds.
    return whole.getvalue().replace((1000).to_bytes(4, "little"), (0xFFFFFFF0).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "neither a .npz nor a .npy nor a .csv file"),
        (b"x,y\n1,2\n", "neither a .npz nor a .npy nor a .csv file"),
        (b"PK\x03\x04 cut short", "cannot be read"),
        (b"\x93NUMPY\x01\x00", "cannot be read"),
        (bad_zip_member(), "cannot be read"),
        (lying_header(), "cannot be read"),
        (pickled(), "cannot be read"),
        (bomb(), "bytes of arrays, more than"),
    ],
)
def test_unreadable_files(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "d.npz").write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        sources.load(tmp_path / "d.npz")
    assert "d.npz" in error.value.message
    assert "\n" not in error.value.message


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    whole = save(tmp_path / "d.npz", x=np.arange(6.0).reshape(3, 2)).read_bytes()
    for size in range(len(whole)):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(InputError):
            sources.load(tmp_path / "cut.npz")


def test_a_missing_file() -> None:
    with pytest.raises(InputError, match="no such file"):
        sources.load("d.npz")
    with pytest.raises(InputError, match="not a regular file"):
        sources.load("/dev/zero")


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x_train": np.ones(3), "y_train": np.ones(3)}, "found x_train, y_train"),
        ({"y": np.ones(3)}, "found no samples"),
        ({"x0": np.ones(3), "x2": np.ones(3)}, "found x0, x2"),
        ({"x": np.ones(3), "labels": np.ones(3)}, "found labels, x"),
        ({"x": np.ones((0, 4))}, "no samples"),
        ({"x": np.float32(1)}, "no samples"),
        ({"x": np.array(["a", "b"])}, "holds <U1, expected numbers"),
        ({"x": np.array([1.0, np.nan])}, "NaN or infinity, first in sample 1"),
        ({"x": np.array([[1.0], [1.0], [-np.inf]])}, "first in sample 2"),
        ({"x": np.ones(3), "y": np.ones(4)}, "x has 3 samples, y has 4 labels"),
        ({"x0": np.ones(3), "x1": np.ones(4)}, "x0 has 3 samples, x1 has 4"),
        ({"x": np.ones(2), "y": np.array([-1, 2])}, "class indices from -1 to 2"),
    ],
)
def test_wrong_contents(tmp_path: Path, arrays: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        sources.load(save(tmp_path / "d.npz", **arrays))


def graph(
    shape: tuple[int, ...] = (1, 4), dtype: Any = "int8", scale: float | None = 0.5, zero_point: int = 3
) -> Graph:
    quantization = None if scale is None else Quantization((scale,), (zero_point,))
    tensor = Tensor(0, "x", dtype, shape, quantization, None)
    return Graph("net", "", (tensor,), (), (0,), (0,), b"")


def test_floats_are_quantised_like_tflite() -> None:
    x = np.array([[0.25, -0.25, 0.74, -0.76], [63.0, -70.0, 1e300, -1e30]])
    assert data.to_input(graph(), 0, x).tolist() == [[[4, 2, 4, 1]], [[127, -128, 127, -128]]]


def test_just_below_one_half_rounds_down() -> None:
    below = np.nextafter(np.float32(0.5), np.float32(0))
    x = np.array([[below, -below, 0.5, -0.5]], np.float32)
    assert data.to_input(graph(scale=1.0, zero_point=0), 0, x).tolist() == [[[0, 0, 1, -1]]]


def test_quantised_values_pass_unchanged() -> None:
    x = np.array([[1, -128, 127, 0]], np.int8)
    assert data.to_input(graph(), 0, x).tolist() == [[[1, -128, 127, 0]]]
    assert data.to_input(graph(), 0, x[:, None, :]).shape == (1, 1, 4)


def test_a_float_model_takes_any_number() -> None:
    converted = data.to_input(graph(dtype="float32", scale=None), 0, np.array([[1, 2, 3, 255]], np.uint8))
    assert converted.dtype == np.float32
    assert converted.tolist() == [[[1, 2, 3, 255]]]


def test_a_tensor_without_batch() -> None:
    assert data.to_input(graph(shape=(4,)), 0, np.zeros((5, 4))).shape == (5, 4)


def test_whole_numbers_pass_as_indices() -> None:
    indices = graph(dtype="int32", scale=None)
    for x in (np.array([[0, 7, 2, 19]]), np.array([[0.0, 7.0, 2.0, 19.0]], np.float32)):
        made = data.to_input(indices, 0, x)
        assert (made.dtype, made.tolist()) == (np.int32, [[[0, 7, 2, 19]]])
    for wrong in (0.5, 1e10, np.inf):
        with pytest.raises(InputError, match="expected int32, got float64"):
            data.to_input(indices, 0, np.array([[0, 1, 2, wrong]]))


@pytest.mark.parametrize(
    ("made", "x", "says"),
    [
        (graph(), np.ones((3, 5)), "expected samples of shape 4, got 5"),
        (graph(shape=(1, 8, 8, 1)), np.ones((3, 8, 8)), "expected samples of shape 8x8x1, got 8x8"),
        (graph(shape=(2, 4)), np.ones((3, 4)), "expected samples of shape 2x4, got 4"),
        (graph(), np.ones((3, 4), np.uint8), "expected int8 or float32, got uint8"),
        (graph(scale=None), np.ones((3, 4), np.float32), "expected int8, got float32"),
    ],
)
def test_what_does_not_fit_is_told(made: Graph, x: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        data.to_input(made, 0, x)


def test_too_many_inputs() -> None:
    with pytest.raises(InputError, match="data for input 1, but the model has 1"):
        data.to_input(graph(), 1, np.ones((3, 4)))


def test_split_takes_every_sample_once_and_is_repeatable() -> None:
    whole = data.make((np.arange(10.0),), np.arange(10))
    one, other = data.split(whole, 0.7, seed=4)
    again, _ = data.split(whole, 0.7, seed=4)
    assert (one.samples, other.samples) == (7, 3)
    assert sorted([*one.inputs[0], *other.inputs[0]]) == list(range(10))
    assert one.labels is not None
    assert one.labels.tolist() == one.inputs[0].tolist() == again.inputs[0].tolist()
    with pytest.raises(InputError, match="cannot be split"):
        data.split(whole, 0.01)
