"""A `.keras` or `.h5` as a Keras model: of Keras 3 where it can read the file, else of Keras 2."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microwright import _tensorflow
from microwright.errors import InputError, ToolMissing
from microwright.load import archive, config, pruned, trained_ranges

_log = logging.getLogger("microwright")

_Objects = Mapping[str, Any]


def from_archive(path: Path, custom: _Objects) -> Any:
    """Model of a `.keras`. Raises InputError; ToolMissing without the version of Keras that reads it."""
    settings, version = archive.read(path)
    config.check(path, settings, custom)
    archive.check_weights(path)
    has_masks = config.uses(settings, {pruned.WRAPPER})
    has_ranges = config.uses(settings, trained_ranges.WRAPPERS)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "model.keras")
        if not (version.startswith("2.") or has_masks or has_ranges):
            keras = _tensorflow.keras_3()
            if keras is None:
                raise _no_keras_3(path)
            return _read(keras, path, shutil.copyfile(path, copy), custom)
        legacy = _keras_2(path)
        config.relocate(settings, legacy.__name__)
        archive.write(path, copy, settings)
        model = _read(legacy, path, copy, {**_stand_ins(legacy), **custom})
        _tell(path, legacy)
        if has_ranges:
            trained_ranges.check(path, model)
            return model
        pruned.apply_masks(model)
        whole = Path(folder, "model.h5")
        try:
            with _tensorflow.Quiet():
                model.save(whole)
        # What has no HDF5 form (a class of the user's) raises what it wants.
        except Exception as error:
            if has_masks:
                raise _unreadable(path, error) from None
            return model
        return _from_hdf5(path, whole, custom, quiet=True)


def from_hdf5(path: Path, custom: _Objects) -> Any:
    """Model of an `.h5`. Raises InputError; ToolMissing without the version of Keras that reads it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copyfile(path, Path(folder, "model.h5"))
        return _from_hdf5(path, copy, custom)


def _from_hdf5(path: Path, copy: Path, custom: _Objects, *, quiet: bool = False) -> Any:
    settings, version = _prepare(path, copy, custom)
    has_ranges = config.uses(settings, trained_ranges.WRAPPERS)
    keras = _tensorflow.keras_3()
    if keras is None and version.startswith("3."):
        raise _no_keras_3(path)
    if keras is not None and not has_ranges:
        try:
            return _read(keras, path, copy, custom)
        except InputError:
            if version.startswith("3."):
                raise
    legacy = _keras_2(path)
    model = _read(legacy, path, copy, {**_stand_ins(legacy), **custom})
    if has_ranges:
        trained_ranges.check(path, model)
    if not quiet:
        _tell(path, legacy)
    return model


def _prepare(path: Path, copy: Path, custom: _Objects) -> tuple[Any, str]:
    """Check a file and write it as Keras 3 reads it, without wrappers of pruning: its configuration, and the
    version of Keras that wrote it.
    """
    h5py = _tensorflow.h5py()
    try:
        with h5py.File(copy, "r+") as file:
            archive.check_hdf5(path, file)
            text = file.attrs.get("model_config")
            if text is None or "model_weights" not in file:
                raise InputError(
                    f"{path}: an HDF5 file, but not a Keras model with its weights",
                    "save the whole model: model.save('model.keras'), not save_weights",
                )
            settings = json.loads(text)
            wrappers = pruned.unwrap_config(settings)
            config.check(path, settings, custom)
            config.modernise(settings)
            pruned.unwrap_weights(file["model_weights"], wrappers)
            file.attrs["model_config"] = json.dumps(settings)
            version = file.attrs.get("keras_version", "")
    except InputError:
        raise
    # h5py raises what the damage happens to hit.
    except Exception as error:
        raise archive.damaged(path, error) from None
    return settings, version.decode() if isinstance(version, bytes) else str(version)


def _read(keras: Any, path: Path, copy: Path, objects: _Objects) -> Any:
    try:
        with _tensorflow.Quiet():
            return keras.models.load_model(
                copy, compile=False, safe_mode=True, custom_objects=dict(objects) or None
            )
    except InputError as error:
        raise InputError(f"{path}: {error.message}", error.hint) from None
    # Keras raises whatever a wrong configuration happens to hit.
    except Exception as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    # Keras puts the cause behind the configuration of every layer around it.
    cause = " ".join(str(error).rpartition("Exception encountered: ")[2].split())[:200]
    return InputError(
        f"{path}: Keras cannot read it: {cause or type(error).__name__}",
        "give your own layers with --custom module:object, or save it again with the Keras that wrote it",
    )


def _tell(path: Path, legacy: Any) -> None:
    if _tensorflow.keras_3() is not None:  # else Keras 2 is what is installed
        _log.warning("%s: a file of Keras 2, read with %s %s", path, legacy.__name__, legacy.__version__)


def _no_keras_3(path: Path) -> ToolMissing:
    return ToolMissing(f"{path} is a file of Keras 3, which is not installed", _UPGRADE)


def _keras_2(path: Path) -> Any:
    legacy = _tensorflow.keras_2()
    if legacy is None:
        raise ToolMissing(
            f"{path} is a file of Keras 2, and tf_keras, which reads it, is not installed", _UPGRADE
        )
    return legacy


def _stand_ins(legacy: Any) -> _Objects:
    return {**trained_ranges.stand_ins(legacy), pruned.WRAPPER: pruned.stand_in(legacy)}


_UPGRADE = "pip install --upgrade 'microwright[keras]'"
