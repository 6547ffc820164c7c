"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.store import store_folder

_CHECKOUT = Path(__file__).resolve().parent.parent

# Tests run side by side: more threads for small matrices only wait for each other.
for _threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_threads, "1")


def pytest_collection_finish() -> None:
    """What was imported stays: garbage collection need not look through all of TensorFlow again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Folder of the MLPerf Tiny reference models (kws, vww, ic, ad) beside the checkout."""
    folder = _CHECKOUT.parent / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("the MLPerf Tiny reference models are not beside the checkout (../shared/models)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def objects_compiled_once() -> Iterator[None]:
    """CMake takes objects that were compiled before, wherever it has this variable in its environment."""
    launcher = _CHECKOUT / "tests" / "support" / "compiler_launcher.py"
    with pytest.MonkeyPatch.context() as patch:
        command = (sys.executable, "-I", "-S", str(launcher), str(store_folder()))
        patch.setenv("CMAKE_C_COMPILER_LAUNCHER", ";".join(command))
        yield
