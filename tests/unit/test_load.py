"""Recognising model files without TensorFlow."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from microwright import load
from microwright.errors import InputError, ToolMissing


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorflow", "keras", "h5py", "tf_keras"):
        monkeypatch.setitem(sys.modules, name, None)


def test_tflite_is_recognised_by_its_content(tmp_path: Path, no_tensorflow: None) -> None:
    content = b"\x1c\0\0\0TFL3 and so on"
    path = tmp_path / "net.bin"
    path.write_bytes(content)
    model = load.load(path)
    assert (model.kind, model.name, model.flatbuffer, model.keras) == ("tflite", "net", content, None)
    assert model.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"\0" * 100, "not a model"),
        (b"PK\x03\x04 cut short", "damaged or cut short"),
    ],
)
def test_what_is_no_model(tmp_path: Path, no_tensorflow: None, content: bytes, says: str) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        load.load(path)
    assert "net.keras" in error.value.message


def test_another_zip_file(tmp_path: Path, no_tensorflow: None) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", b"")
    with pytest.raises(InputError, match="not a Keras model"):
        load.load(tmp_path / "d.npz")


def test_missing_file_and_other_folder(tmp_path: Path, no_tensorflow: None) -> None:
    with pytest.raises(InputError, match="No such file"):
        load.load(tmp_path / "net.tflite")
    with pytest.raises(InputError, match="not a SavedModel"):
        load.load(tmp_path)


@pytest.mark.parametrize("module", ["os", "mine.layers", "kerasx"])
def test_custom_classes_are_refused_before_anything_is_imported(
    tmp_path: Path, no_tensorflow: None, module: str
) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        layer = f'{{"class_name": "system", "module": "{module}", "config": {{"name": "odd"}}}}'
        archive.writestr("config.json", f'{{"class_name": "Sequential", "config": {{"layers": [{layer}]}}}}')
    with pytest.raises(InputError, match="layer 'odd' is of the custom class 'system'"):
        load.load(path)


@pytest.mark.parametrize("content", [b"PK", b"\x89HDF\r\n\x1a\n", b"saved"])
def test_keras_files_need_tensorflow_and_say_so(tmp_path: Path, no_tensorflow: None, content: bytes) -> None:
    path = tmp_path / "net"
    if content == b"PK":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
    elif content == b"saved":
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"")
    else:
        path.write_bytes(content)
    with pytest.raises(ToolMissing, match="not installed") as error:
        load.load(path)
    assert error.value.hint == "pip install 'microwright[keras]'"


def test_models_are_saved_as_keras_only(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"saved as \.keras"):
        load.save(None, tmp_path / "net.h5")
