"""Recognising model files without TensorFlow."""

from __future__ import annotations

import hashlib
import json
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


def _keras_file(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"config.json": b"{}", "metadata.json": b"{}", **members}.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "member",
    ["model.weights.npz", "model.pkl", "../model.weights.h5", "/etc/passwd", "assets/words.txt", "a\\b"],
)
def test_what_keras_does_not_write_into_a_file_is_refused(
    tmp_path: Path, no_tensorflow: None, member: str
) -> None:
    path = _keras_file(tmp_path / "net.keras", {member: b"\x80\x04."})
    with pytest.raises(InputError, match="is no part of a Keras model"):
        load.load(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, no_tensorflow: None) -> None:
    path = _keras_file(tmp_path / "net.keras", {"config.json": b"[" + b" " * (65 << 20) + b"]"})
    assert path.stat().st_size < 1 << 20
    with pytest.raises(InputError, match="bytes of configuration"):
        load.load(path)
    path = _keras_file(tmp_path / "lies.keras", {"model.weights.h5": b"small"})
    content = bytearray(path.read_bytes())
    # The directory's size of the weights; it is where the size is looked up.
    at = content.rindex(b"model.weights.h5") - 46 + 24
    assert content[at : at + 4] == (5).to_bytes(4, "little")
    content[at : at + 4] = (0xFFFF0000).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match="bytes unpacked, more than"):
        load.load(path)


def test_json_that_is_nested_a_million_deep(tmp_path: Path, no_tensorflow: None) -> None:
    path = _keras_file(tmp_path / "net.keras", {"config.json": b"[" * 1_000_000})
    with pytest.raises(InputError, match="damaged"):
        load.load(path)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (
            {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "/"}},
            "is a TFSMLayer",
        ),
        ({"class_name": "TorchModuleWrapper", "module": "keras.layers"}, "is a TorchModuleWrapper"),
        ({"class_name": "get_file", "module": "keras.utils"}, "custom class 'get_file'"),
        ({"class_name": "load_model", "module": "keras.models"}, "custom class 'load_model'"),
        ({"class_name": "function", "config": "system", "module": "os"}, "custom class 'system'"),
        ({"class_name": "eval", "module": "builtins"}, "custom class 'eval'"),
        ({"class_name": "QuantizeLayer", "module": "evil", "registered_name": "Other"}, "custom class"),
        (
            {"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": "/etc/passwd"}},
            "would read the file of a vocabulary",
        ),
    ],
)
def test_layers_that_do_more_than_compute_are_refused_before_anything_is_imported(
    tmp_path: Path, no_tensorflow: None, layer: dict[str, object], says: str
) -> None:
    config = {"class_name": "Sequential", "config": {"layers": [layer]}}
    path = _keras_file(tmp_path / "net.keras", {"config.json": json.dumps(config).encode()})
    with pytest.raises(InputError, match=says):
        load.load(path)
