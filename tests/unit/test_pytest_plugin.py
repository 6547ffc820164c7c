"""The pytest plugin, in runs of pytest as a user's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import microwright
from microwright import graph, verify
from tests.support.small_model import INPUT_SHAPE, small_model

_SDK = Path(microwright.__file__).resolve().parents[1]


def run(folder: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest with a test file in a folder that has the small model."""
    (folder / "small.tflite").write_bytes(small_model())
    (folder / "test_user.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "microwright.pytest_plugin", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_SDK), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_a_model_runs_in_a_users_tests(tmp_path: Path) -> None:
    model = graph.read(small_model(), "small")
    reference = verify.reference(model)
    assert reference is not None, "the reference interpreter is part of the development installation"
    sample = np.random.default_rng(3).integers(-128, 128, INPUT_SHAPE, np.int8)
    (expected,) = reference.run((sample,))
    np.savez(tmp_path / "case.npz", x=sample, y=expected)
    done = run(
        tmp_path,
        """
import sys
import numpy as np

case = np.load("case.npz")

def test_outputs(microwright_device):
    device = microwright_device("small.tflite")
    raw = device.run(case["x"], raw=True)
    assert raw.dtype == np.int8 and np.array_equal(raw, case["y"])
    real = device.run((case["x"][0].astype(np.float32) + 3) / 64)
    assert np.array_equal(real, (case["y"].astype(np.float32) + 128) / 256)

def test_it_is_built_and_started_once(microwright_device):
    device = microwright_device("small.tflite", board="mps2-an386")
    assert device is microwright_device("small.tflite")
    assert device is not microwright_device("small.tflite", board="host")

def test_a_report(microwright_device):
    report = microwright_device("small.tflite").measure(random_inputs=3)
    assert report.latency.kind == "emulated" and report.latency.runs == 3
    assert report.agreement.mismatched_bytes == 0

def test_the_host_too(microwright_device):
    report = microwright_device("small.tflite", board="host").measure(random_inputs=2)
    assert report.latency.kind == "measured"

def test_a_project_and_a_port(microwright_device):
    device = microwright_device("small.tflite", board="host")
    folder, port = device.image.project.directory, device._reached.url
    again = microwright_device(folder, port=port)
    assert np.array_equal(again.run(case["x"], raw=True), case["y"])

def test_without_tensorflow():
    assert "tensorflow" not in sys.modules
""",
        "--microwright-board=mps2-an386",
    )
    assert done.returncode == 0 and "6 passed" in done.stdout, done.stdout + done.stderr


def test_what_goes_wrong_is_short_and_at_the_users_line(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
import numpy as np

def test_no_board(microwright_device):
    microwright_device("small.tflite")

def test_unknown_board(microwright_device):
    microwright_device("small.tflite", board="mps2-an368")

def test_no_such_runner(microwright_device):
    microwright_device("small.tflite", board="host", runner="pyocd")

def test_no_port(microwright_device):
    microwright_device("small.tflite", board="host", port="/dev/no-such-port").run(np.zeros((8, 8, 3)))

def test_shape(microwright_device):
    microwright_device("small.tflite", board="host").run(np.zeros((9, 9, 3)))
""",
    )
    assert done.returncode == 1 and "5 failed" in done.stdout
    for said in (
        "Failed: InputError: no board is given for small.tflite",
        "Failed: BoardError: there is no board 'mps2-an368'; did you mean 'mps2-an386'?",
        "Failed: BoardError: board host has no runner 'pyocd'",
        "Failed: NoPort: cannot open port /dev/no-such-port",
        "Failed: InputError: small: input 0: expected samples of shape 8x8x3, got 9x9x3",
        "hint: ",
        '>       microwright_device("small.tflite", board="mps2-an368")',
    ):
        assert said in done.stdout, done.stdout
    assert "pytest_plugin.py" not in done.stdout
    assert len(done.stdout.splitlines()) < 100


@pytest.mark.parametrize("options", [(), ("--microwright-board=host",)])
def test_runs_that_do_not_use_it_pay_nothing(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = run(
        tmp_path,
        """
import sys

def test_nothing_is_imported():
    loaded = {name for name in sys.modules if name.startswith("microwright")}
    assert loaded == {"microwright", "microwright.pytest_plugin"}
    assert "numpy" not in sys.modules
""",
        *options,
    )
    assert done.returncode == 0, done.stdout


def test_the_board_of_the_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmicrowright_board = mps2-an368\n")
    done = run(tmp_path, "def test_it(microwright_device):\n    microwright_device('small.tflite')\n")
    assert "there is no board 'mps2-an368'" in done.stdout
