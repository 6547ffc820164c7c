"""Each extra, installed from the package index into a virtual environment of its own, does its job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.small_model import small_model

_CHECKOUT = Path(__file__).resolve().parents[2]
_MAKE_MODEL = """
import numpy as np
import tensorflow as tf

layers = tf.keras.layers
model = tf.keras.Sequential(
    [layers.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(3)]
)
model.save("net.keras")
model.save("net.h5")
np.savez("x.npz", x=np.random.default_rng(0).normal(size=(30, 8, 8, 1)).astype(np.float32))
"""
_TFMOT = _CHECKOUT / "tests" / "keras" / "data" / "pruned_keras_with_tfmot.keras"

_Run = Callable[..., str]


def _keras(run: _Run, folder: Path) -> None:
    (folder / "make.py").write_text(_MAKE_MODEL)
    run("python", "make.py")
    run("microwright", "inspect", str(_TFMOT))
    for name in ("net.keras", "net.h5"):
        report = f"{name}.json"
        deploy = ("deploy", name, "--calibration", "x.npz", "--board", "host", "-o", f"{name}-host")
        run("microwright", *deploy, "--json", report)
        assert json.loads((folder / report).read_text())["latency"]["runs"] == 20


def _reference(name: str) -> Callable[[_Run, Path], None]:
    def job(run: _Run, folder: Path) -> None:
        (folder / "small.tflite").write_bytes(small_model())
        assert name in run("microwright", "verify", "small.tflite")

    return job


def _up_to_python_3_11(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        sys.version_info >= (3, 12),
        reason=f"{package} has no wheel for Python 3.12 or newer",
    )


# The last one is what the extra litert is on 32-bit Arm.
@pytest.mark.thorough
@pytest.mark.parametrize(
    ("extra", "others", "job"),
    [
        ("[keras]", (), _keras),
        pytest.param("[keras2]", (), _keras, marks=_up_to_python_3_11("TensorFlow 2.15")),
        ("[verify]", (), _reference("tflite_micro")),
        ("[litert]", (), _reference("ai-edge-litert")),
        pytest.param(
            "",
            ("tflite-runtime==2.14.0", "numpy<2"),
            _reference("tflite-runtime"),
            marks=_up_to_python_3_11("tflite-runtime"),
        ),
    ],
)
def test_an_extra_is_a_set_that_works(
    tmp_path: Path, extra: str, others: tuple[str, ...], job: Callable[[_Run, Path], None]
) -> None:
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=True, symlinks=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def run(program: str, *arguments: str) -> str:
        command = [str(folder / "bin" / program), *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=1800
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    run("python", "-m", "pip", "install", "--quiet", f"{_CHECKOUT}{extra}", *others)
    run("python", "-m", "pip", "check")
    job(run, tmp_path)
