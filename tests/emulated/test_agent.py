"""The agent in Python as on a Raspberry Pi: Python, numpy and tflite-runtime for its cores, under QEMU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from microwright.agent import Agent, python_build_id
from microwright.dialogue import bytes_of
from microwright.link import Link
from tests.support import firmware
from tests.support.agent import running
from tests.support.native import litert_references

# What Debian calls the architecture, QEMU's program, and where numpy comes from: for 32-bit Arm, no wheel.
SYSTEMS = {
    "aarch64": ("arm64", "qemu-aarch64-static", ["numpy==1.26.4"], []),
    "armv7l": ("armhf", "qemu-arm-static", [], ["python3-numpy"]),
}
PACKAGES = {qemu: "qemu-user-static" for _, qemu, *_ in SYSTEMS.values()}


def python(arch: str, folder: Path) -> list[str]:
    """The command of a Bookworm's Python with the runtime, made in a folder."""
    debian, qemu, wheels, packages = SYSTEMS[arch]
    for tool in ("debootstrap", "dpkg", qemu):
        if shutil.which(tool) is None:
            pytest.skip(f"sudo apt-get install {PACKAGES.get(tool, tool)}, which the set-up leaves out")
    if os.geteuid() != 0:
        pytest.skip("debootstrap runs as root only")
    root, site = folder / "root", folder / "site"
    include = ",".join(["python3", "libstdc++6", *packages])
    options = ["--foreign", f"--arch={debian}", "--variant=minbase", f"--include={include}"]
    subprocess.run(["debootstrap", *options, "bookworm", root], check=True, stdout=subprocess.DEVNULL)
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    platforms = [f"--platform=manylinux_2_{glibc}_{arch}" for glibc in (17, 34)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    pip += ["--python-version=3.11", *platforms, f"--target={site}", "tflite-runtime==2.14.0", *wheels]
    subprocess.run(pip, check=True)
    # OpenBLAS reads these for a computer that this one is not.
    unset = [option for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") for option in ("-U", name)]
    # Packages that were unpacked only have no links to the one that is chosen of several.
    libraries = ":".join(str(path.parent) for path in root.glob("usr/lib/*/*/lib*.so.3"))
    paths = [
        "-E",
        f"PYTHONPATH={site}:{root}/usr/lib/python3/dist-packages",
        "-E",
        f"LD_LIBRARY_PATH={libraries}",
    ]
    return [qemu, "-L", str(root), *paths, *unset, str(root / "usr/bin/python3.11")]


@pytest.mark.thorough
@pytest.mark.parametrize("arch", SYSTEMS)
def test_inferences_and_bursts_are_right_on_the_core_of_a_raspberry_pi(arch: str, tmp_path: Path) -> None:
    graph = firmware.dense(64, 10)
    model = tmp_path / "model.tflite"
    model.write_bytes(graph.flatbuffer)
    values = np.random.default_rng(5).integers(-128, 128, (1, 64), np.int8)
    with (
        running(model, "--threads", "2", python=python(arch, tmp_path)) as url,
        Link(url, 115_200) as link,
    ):
        agent = Agent(link, graph, python_build_id(graph.flatbuffer))
        run = agent.run(bytes_of((values,)), reset=True)
        burst = agent.burst(bytes_of((values,)), runs=20)
        facts = agent.facts()
    ((expected,),) = litert_references(graph.flatbuffer, [(values,)])
    assert run.outputs == (expected.tobytes(),)
    assert (len(burst.samples_ns), burst.crc) == (20, run.crc)
    assert (facts.arch, facts.runtime, facts.runtime_version) == (arch, "tflite-runtime", "2.14.0")
    assert facts.python is not None
    assert facts.python.startswith("3.11")
