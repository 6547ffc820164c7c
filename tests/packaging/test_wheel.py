"""A wheel of the checkout, in a virtual environment with nothing but what it declares, does the job."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.small_model import small_model

_CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=_CHECKOUT, check=True, capture_output=True, timeout=300)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what its metadata requires, without extras."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, timeout=300)
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    site = Path(found.stdout.strip())
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = importlib.metadata.PathDistribution(site / Path(name).parent)
    for distribution in _closure(metadata.requires or []):
        _copy(distribution, site)
    return folder


def _closure(requirements: list[str]) -> list[importlib.metadata.Distribution]:
    """What the requirements ask for, and in turn what that requires, from the packages installed here."""
    found: dict[str, importlib.metadata.Distribution] = {}
    pending = [Requirement(text) for text in requirements]
    while pending:
        requirement = pending.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        distribution = importlib.metadata.distribution(requirement.name)
        assert requirement.specifier.contains(distribution.version, prereleases=True)
        if distribution.name not in found:
            found[distribution.name] = distribution
            pending += [Requirement(text) for text in distribution.requires or []]
    return list(found.values())


def _copy(distribution: importlib.metadata.Distribution, site: Path) -> None:
    """Copy an installed package: as good as a download, and it works without a network."""
    for file in distribution.files or []:
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.is_file():
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _run(clean: Path, elsewhere: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [clean / "bin" / "microwright", *arguments],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_wheel_carries_the_data_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for part in (
        "microwright/_data/boards/mps2-an386.toml",
        "microwright/_data/runtime/include/mw.h",
        "microwright/_data/firmware_templates/_common/app/main.c",
        "microwright/emulator/rp2040.mjs",
    ):
        assert part in names
    assert not [name for name in names if "tests" in name or "__pycache__" in name or name.endswith(".o")]
    checkout = {
        str(path.relative_to(_CHECKOUT / "firmware_templates"))
        for path in (_CHECKOUT / "firmware_templates").rglob("*")
        if path.is_file()
    }
    prefix = "microwright/_data/firmware_templates/"
    assert {name.removeprefix(prefix) for name in names if name.startswith(prefix)} == checkout


def test_two_wheels_are_equal(wheel: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=_CHECKOUT, check=True, capture_output=True, timeout=300)
    assert next(tmp_path.glob("*.whl")).read_bytes() == wheel.read_bytes()


def test_it_lists_the_boards(clean: Path, tmp_path: Path) -> None:
    done = _run(clean, tmp_path, "boards", "--json")
    assert done.returncode == 0, done.stderr
    assert "mps3-an547" in {board["id"] for board in json.loads(done.stdout)}


@pytest.mark.parametrize("board", ["host", "mps2-an386"])
def test_it_deploys_a_model_without_tensorflow(clean: Path, tmp_path: Path, board: str) -> None:
    (tmp_path / "small.tflite").write_bytes(small_model())
    done = _run(clean, tmp_path, "deploy", "small.tflite", "--board", board, "--json", "report.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["board"] == board
    assert report["latency"]["runs"] == 20
    assert report["agreement"] is None  # there is no reference interpreter
    assert "not checked" in done.stdout


def test_a_keras_file_says_what_to_install(clean: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    done = _run(clean, tmp_path, "inspect", "m.keras")
    assert done.returncode == 9, done.stderr
    assert "hint: pip install 'microwright[keras]'" in done.stderr


def test_its_pytest_plugin_serves_a_users_test(clean: Path, tmp_path: Path) -> None:
    site = next((clean / "lib").glob("python*/site-packages"))
    for distribution in _closure(["pytest"]):
        _copy(distribution, site)
    (tmp_path / "small.tflite").write_bytes(small_model())
    (tmp_path / "test_user.py").write_text(
        "def test_it(microwright_device):\n"
        "    device = microwright_device('small.tflite', board='host')\n"
        "    assert device.measure(random_inputs=2).latency.runs == 2\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [clean / "bin" / "python", "-m", "pytest", "-q"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
