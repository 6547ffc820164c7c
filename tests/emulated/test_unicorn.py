"""Unicorn in place of a board: right outputs, the counts that QEMU gives, exceptions as a core has them."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from microwright import board, build, project, runners, verify
from microwright.build import Image
from microwright.emulator.__main__ import main
from microwright.errors import BoardError, DeviceError, DeviceFault, ToolMissing
from microwright.measure import Measurement, measure
from microwright.project import Project
from tests.support import failing
from tests.support.firmware import NO_FOOTPRINT, convolutional

SOURCE = Path(__file__).parents[1] / "support" / "exceptions.c"
UART_DATA = 0x40004000
MEMORY = ("--memory", "flash=0:0x400000", "--memory", "ram=0x20000000:0x400000")


def on_unicorn(image: Image) -> Image:
    """The image of a project whose board has Unicorn beside its own emulators."""
    made = image.project.board
    return replace(
        image, project=replace(image.project, board=replace(made, runners={**made.runners, "unicorn": {}}))
    )


def run(image: Image, runner: str, *options: str) -> Measurement:
    graph = image.project.graph
    rng = np.random.default_rng(0)
    sample = [
        tuple(rng.integers(-128, 128, graph.tensors[i].shape, np.int8) for i in graph.inputs)
        for _ in range(3)
    ]
    with runners.start(image, runner=runner, options=options) as device:
        measured = measure(image, device.url, sample, emulation=device.emulation, layers=True, runs=6)
    reference = verify.reference(graph)
    assert reference is not None
    expected = [reference.run(inputs) for inputs in sample]
    assert verify.agreement(reference.name, expected, measured.outputs).mismatched_bytes == 0
    return measured


@pytest.mark.parametrize(
    "board_id",
    [
        "mps2-an386",
        "mps2-an385-m0plus",
        *(pytest.param(each, marks=pytest.mark.thorough) for each in ("mps2-an385", "mps2-an500")),
    ],
)
def test_it_counts_what_qemu_counts(tmp_path: Path, board_id: str) -> None:
    image = on_unicorn(build.build(project.create(tmp_path / "p", convolutional(), board.load(board_id))))
    theirs, ours = run(image, "qemu"), run(image, "unicorn")
    assert (ours.latency.kind, ours.latency.unit) == ("emulated", "instructions")
    assert ours.latency.samples == theirs.latency.samples
    assert ours.layers == theirs.layers
    assert (ours.stack_bytes, ours.arena_peak_bytes) == (theirs.stack_bytes, theirs.arena_peak_bytes)
    assert ours.hello["counter"] == ("systick" if "m0" in board_id else "dwt")


@pytest.mark.thorough
def test_a_cortex_m33_counts_the_same_each_time(tmp_path: Path) -> None:
    image = on_unicorn(build.build(project.create(tmp_path / "p", convolutional(), board.load("mps2-an505"))))
    first, second = run(image, "unicorn"), run(image, "unicorn")
    assert first.latency.samples == second.latency.samples


@pytest.mark.thorough
def test_a_fault_of_the_firmware_is_told_by_the_device(tmp_path: Path) -> None:
    image = failing.built(tmp_path / "p", "nucleo-u575zi-q")
    for how, told in (
        (failing.WILD_POINTER, "BusFault, precise bus fault (PRECISERR) at 0xf8000000"),
        (failing.STACK_OVERFLOW, "UsageFault, stack overflow (STKOF)"),
    ):
        sample = np.zeros((1, 8), np.int8)
        sample[0, 0] = how
        with runners.start(image, runner="unicorn") as device, pytest.raises(DeviceFault) as fault:
            measure(image, device.url, [(sample,)], emulation=device.emulation)
        assert fault.value.message.endswith(told)


def test_a_core_that_unicorn_does_not_have_is_refused() -> None:
    made = replace(board.load("mps3-an547"), runners={"unicorn": {}})
    with pytest.raises(BoardError, match="Unicorn has no cortex-m55"):
        runners.check(made, "unicorn")


def test_without_the_package_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ToolMissing) as error:
        runners.check(replace(board.load("mps2-an386"), runners={"unicorn": {}}))
    assert error.value.hint == "pip install 'microwright[unicorn]'"


# The program alone, with a program of the tests.


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    elf = tmp_path_factory.mktemp("exceptions") / "exceptions.elf"
    flags = "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=softfp -O1 -ffreestanding -nostdlib -Wall"
    places = "-Wl,--section-start=.vectors=0,-Ttext=0x40,-Tbss=0x20000100,-e,reset_handler"
    command = ["arm-none-eabi-gcc", *flags.split(), places, str(SOURCE), "-o", str(elf)]
    subprocess.run(command, check=True, timeout=60)
    return elf


class Running:
    """A program on Unicorn, and the test at its serial line."""

    def __init__(self, elf: Path, arguments: Sequence[str]) -> None:
        folder = Path(runners.__file__).parents[1] / "emulator"
        command = [sys.executable, str(folder), str(elf), *MEMORY, "--uart", "cmsdk@0x40004000", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(b":")[2])
        self.connect()

    def connect(self) -> None:
        self.line = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self.file: IO[bytes] = self.line.makefile("rb")

    def hang_up(self) -> None:
        self.file.close()
        self.line.close()

    def ask(self, commands: str) -> str:
        """The line that the last of some commands of one letter is answered with."""
        self.line.sendall(commands.encode())
        return self.file.readline().decode().strip()


@contextlib.contextmanager
def running(elf: Path, *arguments: str, core: str = "cortex-m4") -> Iterator[Running]:
    made = Running(elf, ("--core", core, *arguments))
    try:
        assert made.file.readline() == b"begin\n"
        yield made
    finally:
        made.hang_up()
        made.process.terminate()
        made.process.communicate(timeout=20)


# What is asked for, after a reset, and what is answered. CFSR's bits: IACCVIOL 0, IBUSERR 8, PRECISERR 9,
# STKERR 12, BFARVALID 15, UNDEFINSTR 16, NOCP 19; HFSR's: FORCED 30.
FAULTS = (
    ("eb", "exception 00000005 cfsr 00008200 hfsr 00000000 bfar 30000004 link fffffff9 code 0000685b"),
    ("b", "exception 00000003 cfsr 00008200 hfsr 40000000 bfar 30000004 link fffffff9 code 0000685b"),
    ("ew", "exception 00000005 cfsr 00008200 hfsr 00000000 bfar 00000100 link fffffff9"),
    ("ex", "exception 00000005 cfsr 00000100 hfsr 00000000 bfar 00000000 link fffffff9 code 00000000"),
    ("eX", "exception 00000004 cfsr 00000001 hfsr 00000000 bfar 00000000 link fffffff9"),
    ("eu", "exception 00000006 cfsr 00010000 hfsr 00000000 bfar 00000000 link fffffff9 code 0000de00"),
    ("ef", "exception 00000006 cfsr 00080000 hfsr 00000000 bfar 00000000 link ffffffe9"),
    ("eo", "exception 00000005 cfsr 00011000 hfsr 00000000 bfar 00000000 link fffffff9"),
    ("s", "svc 0000000b"),
)


def test_faults_are_those_of_a_core(program: Path) -> None:
    with running(program) as device:
        for commands, told in FAULTS:
            assert device.ask(commands).startswith(told), commands
            assert device.ask("r") == "begin"


def test_interrupts_leave_a_program_as_it_was(program: Path) -> None:
    with running(program) as device:
        # Conditional instructions that an interrupt cuts in two: 200 times 17 and 1800 times 34.
        assert device.ask("i") == f"sum {200 * 17 + 1800 * 34:08x} interrupted"
        assert device.ask("F") == "kept"
        # On the process stack, too, and a fault says so.
        assert device.ask("p") == "kept"
        assert device.ask("eu").endswith("link fffffffd code 0000de00")


def test_systick_and_the_cycle_counter_count_instructions(program: Path) -> None:
    with running(program) as device:
        first = device.ask("t")
        assert device.ask("t") == first
        # 20 periods of 1000, and the way from one to the other.
        assert 0 <= int(first.removeprefix("instructions "), 16) - 20_000 < 50


def test_a_fault_in_the_hard_faults_handler_is_the_end(program: Path) -> None:
    with running(program) as device:
        device.ask("u")
        assert device.ask("u") == ""
        output, _ = device.process.communicate(timeout=20)
        assert device.process.returncode == 1
        assert b"the core locked up at 0x" in output


def test_writes_are_traced_with_the_instructions_that_do_them(program: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with running(program, "--trace", str(trace)) as device:
        assert device.ask("s") == "svc 0000000b"
    written = [json.loads(line) for line in trace.read_text().splitlines()]
    stores = [line for line in written if line.get("address") == UART_DATA]
    assert bytes(line["value"] for line in stores) == b"begin\nsvc 0000000b\n"
    code = program.read_bytes()
    with program.open("rb") as file:
        text = ELFFile(file).get_section_by_name(".text")
        offset = text["sh_offset"] - text["sh_addr"]
    for line in stores:
        # STR Rt, [Rn, #0]
        assert struct.unpack_from("<H", code, line["pc"] + offset)[0] & 0xFFC0 == 0x6000


def test_a_host_may_come_back(program: Path) -> None:
    with running(program) as device:
        device.line.sendall(b"e")
        device.hang_up()
        device.connect()
        # The fault has its own handler still.
        assert device.ask("u").startswith("exception 00000006")


def test_it_ends_with_the_program_that_started_it(program: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    emulator = Path(runners.__file__).parents[1] / "emulator"
    command = [
        sys.executable,
        str(emulator),
        str(program),
        "--core",
        "cortex-m4",
        *MEMORY,
        "--uart",
        "cmsdk@0x40004000",
    ]
    starter = (
        "import subprocess, sys, pathlib; p = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE); "
        "p.stdout.readline(); pathlib.Path(sys.argv[1]).write_text(str(p.pid))"
    )
    subprocess.run([sys.executable, "-c", starter, str(pid), *command], check=True, timeout=60)
    deadline = time.monotonic() + 20
    while Path("/proc", pid.read_text()).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def changed(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda elf: b"", "no ELF file"),
        (lambda elf: b"\x7fELF" + bytes(60), "no ELF file"),
        (lambda elf: elf[:3000], "no ELF file|no section"),
        (lambda elf: changed(elf, 18, struct.pack("<H", 62)), "no program for Arm"),
        # The second program header's physical address; its size in the file.
        (
            lambda elf: changed(elf, 52 + 32 + 12, struct.pack("<I", 0x30000000)),
            "outside of the board's memory",
        ),
        (
            lambda elf: changed(elf, 52 + 32 + 16, struct.pack("<I", 0x7FFFFFFF)),
            "outside of the board's memory",
        ),
        (lambda elf: elf.replace(b".vectors\0", b".vectorz\0"), r"no section \.vectors"),
    ],
)
def test_a_file_that_is_no_firmware_is_refused(
    program: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[bytes], bytes],
    told: str,
) -> None:
    elf = tmp_path / "damaged.elf"
    elf.write_bytes(damage(program.read_bytes()))
    assert main([str(elf), "--core", "cortex-m4", *MEMORY, "--uart", "cmsdk@0x40004000"]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(told, error)


def test_the_runner_tells_what_is_wrong_with_an_image(tmp_path: Path) -> None:
    (tmp_path / "firmware.elf").write_bytes(b"nothing")
    made = replace(board.load("mps2-an386"), runners={"unicorn": {}})
    image = Image(
        Project(tmp_path, made, "aot", "balanced", "m", "0" * 64, 16, {}),
        tmp_path / "firmware.elf",
        "00",
        NO_FOOTPRINT,
        "GCC",
    )
    with pytest.raises(
        DeviceError, match=r"unicorn ended at once with exit code 3: .*firmware\.elf: no ELF file"
    ):
        runners.start(image)


def test_nothing_is_imported_from_where_the_user_is(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unicorn.py").write_text("raise SystemExit('mine')")
    monkeypatch.chdir(tmp_path)
    with running(program) as device:
        assert device.ask("s") == "svc 0000000b"
    assert [path.name for path in tmp_path.iterdir()] == ["unicorn.py"]
