"""A whole Raspberry Pi 3: Debian's kernel on QEMU's machine starts the agent, found by the host at a UART."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from microwright import board, cli
from microwright.agent import Agent
from microwright.build import Image
from microwright.dialogue import bytes_of
from microwright.link import Link
from microwright.runners import qemu
from tests.emulated.test_deploy import samples
from tests.emulated.test_linux import built
from tests.support.firmware import convolutional

pytestmark = pytest.mark.thorough

INIT = Path(__file__).parents[1] / "support" / "pi_init.c"
PROGRAMS = ("qemu-system-aarch64", "aarch64-linux-gnu-gcc", "apt-get", "apt-cache", "dpkg-deb")
DOWNLOAD_S = 300
BOOT_S = 240
DIRECTORY, CHARACTER_DEVICE, PROGRAM = 0o040755, 0o020600, 0o100755
CONSOLE = (5, 1)


@dataclass(frozen=True)
class Kernel:
    image: Path
    device_tree: Path


@pytest.fixture(scope="module")
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """Debian's kernel for 64-bit Arm and the board's device tree, kept from one run of tests to the next."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("arm64-kernel")
    try:
        if not (folder / "complete").exists():
            fetch(folder)
    except subprocess.SubprocessError as error:
        pytest.skip(f"apt brings no kernel for arm64: {error}")
    (image,) = folder.glob("boot/vmlinuz-*")
    (tree,) = folder.glob("usr/lib/linux-image-*/broadcom/bcm2837-rpi-3-b.dtb")
    return Kernel(image, tree)


def fetch(folder: Path) -> None:
    """Have apt bring the package, by lists of its own, and take the two files from it."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    options = [
        *("-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::State::status={folder}/status"),
        *(
            "-o",
            f"Dir::Cache={folder}/cache",
            "-o",
            "Acquire::Languages=none",
            "-o",
            "APT::Sandbox::User=root",
        ),
        *("-o", "APT::Architecture=arm64", "-o", "APT::Architectures=arm64"),
    ]

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=DOWNLOAD_S, check=True, text=True
        )
        return done.stdout

    run("apt-get", *options, "update")
    found = re.search(
        r"Depends: (linux-image-\S+)", run("apt-cache", *options, "depends", "linux-image-arm64")
    )
    assert found is not None
    run("apt-get", *options, "download", found[1])
    (package,) = folder.glob("linux-image-*.deb")
    run("dpkg-deb", "-x", package.name, "unpacked")
    for part in ("boot", "usr"):
        (folder / "unpacked" / part).rename(folder / part)
    for rest in ("unpacked", "lists", "cache"):
        shutil.rmtree(folder / rest)
    package.unlink()
    (folder / "complete").touch()


def initrd(*programs: tuple[str, Path]) -> bytes:
    """A file system in the format `newc` of cpio: folders to mount into, a console, programs."""
    entries: list[tuple[str, int, bytes, tuple[int, int]]] = [
        *((folder, DIRECTORY, b"", (0, 0)) for folder in ("dev", "proc", "sys")),
        ("dev/console", CHARACTER_DEVICE, b"", CONSOLE),
        *((name, PROGRAM, path.read_bytes(), (0, 0)) for name, path in programs),
        ("TRAILER!!!", 0, b"", (0, 0)),
    ]
    made = b""
    for inode, (name, mode, data, device) in enumerate(entries, 1):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        made += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        made += b"\0" * (-len(made) % 4) + data
        made += b"\0" * (-len(made) % 4)
    return made


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return built(tmp_path_factory.mktemp("pi") / "p", board.load("rpi-emulated"), convolutional())


@pytest.fixture(scope="module")
def url(kernel: Kernel, image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The UART of a machine that has started."""
    folder = tmp_path_factory.mktemp("machine")
    compile_init = (
        "aarch64-linux-gnu-gcc",
        "-static",
        "-Os",
        "-Wall",
        "-Werror",
        INIT,
        "-o",
        folder / "init",
    )
    subprocess.run(compile_init, check=True)
    (folder / "initrd").write_bytes(initrd(("init", folder / "init"), ("agent", image.elf)))
    command = [
        *("qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-monitor", "none"),
        *("-kernel", kernel.image, "-dtb", kernel.device_tree, "-initrd", folder / "initrd"),
        *("-append", "console=ttyAMA0 rdinit=/init", "-serial", f"file:{folder}/console"),
        *("-serial", "tcp:127.0.0.1:0,server=on,wait=on,nodelay=on"),
    ]
    with subprocess.Popen(command, stdout=-1, stderr=-2, text=True) as machine:
        try:
            assert machine.stdout is not None
            waits = qemu.RUNNER.ready.search(machine.stdout.readline())
            assert waits is not None
            at = qemu.RUNNER.url(waits)
            with Link(at, 115_200) as link:
                link.request("hello", timeout_s=BOOT_S)
            yield at
        finally:
            machine.kill()


def test_the_host_profiles_it_over_its_uart(image: Image, url: str, tmp_path: Path) -> None:
    (sample,) = samples(image.project.graph, 1)
    with Link(url, 115_200) as link:
        agent = Agent(link, image.project.graph, image.build_id)
        before = agent.facts()
        burst = agent.burst(bytes_of(sample), runs=20)
        after = agent.facts()
    assert before.board_model == "Raspberry Pi 3 Model B"
    assert (before.arch, before.affinity, before.desktop) == ("aarch64", (0, 1, 2, 3), False)
    assert before.time_ns is not None and after.time_ns is not None
    assert len(burst.samples_ns) == 20
    assert sum(burst.samples_ns) < after.time_ns - before.time_ns

    report = tmp_path / "report.json"
    measure = ["measure", str(image.project.directory), "--port", url, "--json", str(report)]
    assert cli.execute([*measure, "--random-inputs", "3"]) == 0
    found = json.loads(report.read_text())
    assert found["agreement"]["mismatched_bytes"] == 0
    assert (found["latency"]["kind"], found["latency"]["unit"]) == ("emulated", "us")
