"""Importing TensorFlow: the only module that does, inside a function, and without its chatter."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import sys
import tempfile
import warnings
from types import ModuleType
from typing import Any

from microwright.errors import ToolMissing

_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # oneDNN picks kernels by the CPU, so that results would depend on the machine.
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


def tensorflow() -> Any:
    """The module `tensorflow`. Raises ToolMissing."""
    return _load("tensorflow")


def keras() -> Any:
    """The module `keras`, version 3, on TensorFlow. Raises ToolMissing."""
    module = keras_3()
    if module is None:
        raise ToolMissing(
            f"Keras 3 is needed, Keras {_load('keras').__version__} is installed",
            "pip install --upgrade 'microwright[keras]'",
        )
    return module


def keras_3() -> Any | None:
    """The module `keras` on TensorFlow, None where it is version 2 (TensorFlow 2.15). Raises ToolMissing."""
    tensorflow()
    module = _load("keras")
    if not module.__version__.startswith("3."):
        return None
    if module.backend.backend() != "tensorflow":
        raise ToolMissing(
            f"Keras runs on {module.backend.backend()}, TensorFlow is needed", "set KERAS_BACKEND=tensorflow"
        )
    return module


def keras_2() -> Any | None:
    """Keras 2: the module `keras` where it is that, else `tf_keras`, or None where it is not installed."""
    if keras_3() is None:
        return _load("keras")
    return _load("tf_keras") if importlib.util.find_spec("tf_keras") else None


def keras_of(model: Any) -> Any:
    """The version of Keras that a Keras model is of."""
    current, legacy = keras_3(), sys.modules.get("tf_keras")
    of_legacy = legacy is not None and isinstance(model, legacy.Model)
    return legacy if of_legacy else current or keras_2()


def h5py() -> Any:
    """The module `h5py`, which Keras brings along. Raises ToolMissing."""
    return _load("h5py")


class Quiet:
    """Context that keeps back what TensorFlow prints and warns, from Python and from C++.

    It redirects the descriptors 1 and 2, so that other threads' output is kept back too. `text` is what was
    kept back, complete when the context ends; `show` lets output through until then.
    """

    def __init__(self) -> None:
        self.text = ""
        self._stack = contextlib.ExitStack()
        self._saved: dict[int, int] = {}

    def __enter__(self) -> Quiet:
        self._stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        logger = logging.getLogger("absl")
        self._stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL)
        self._file = self._stack.enter_context(tempfile.TemporaryFile())
        self.hide()
        return self

    def __exit__(self, *exception: object) -> None:
        self.show()
        self._file.seek(0)
        self.text = self._file.read().decode("utf-8", errors="replace")
        self._stack.close()

    def hide(self) -> None:
        """Keep output back (again)."""
        _flush()
        for descriptor in {1, 2} - set(self._saved):
            # A descriptor may be closed, as in a service.
            with contextlib.suppress(OSError):
                self._saved[descriptor] = os.dup(descriptor)
                os.dup2(self._file.fileno(), descriptor)

    def show(self) -> None:
        """Let output through."""
        _flush()
        for descriptor, copy in self._saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)
        self._saved = {}


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # None without a console, closed at exit.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()


def _load(name: str) -> Any:
    module: ModuleType | None = sys.modules.get(name)
    if module is not None:
        return module
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    try:
        with Quiet():
            return importlib.import_module(name)
    except ImportError as error:
        if importlib.util.find_spec(name) is None:
            raise ToolMissing(f"{name} is not installed", "pip install 'microwright[keras]'") from None
        raise ToolMissing(
            f"{name} cannot be imported: {' '.join(str(error).split())[:200]}",
            "pip install --force-reinstall 'microwright[keras]'",
        ) from None
