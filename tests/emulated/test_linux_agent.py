"""Programs for boards that run Linux as agents: facts, bursts, and the lines that they serve."""

from __future__ import annotations

import os
import socket
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import __version__, board, runners
from microwright.agent import Agent, Facts, to_json
from microwright.build import Image
from microwright.dialogue import bytes_of
from microwright.link import Link, Refused, records
from tests.emulated.test_linux import built
from tests.support.agent import mw_machine, recorded
from tests.support.firmware import convolutional

MODEL = convolutional()
SAMPLE = bytes_of(
    tuple(np.random.default_rng(5).integers(-128, 128, MODEL.tensors[i].shape, np.int8) for i in MODEL.inputs)
)
EMULATOR = ("qemu-aarch64-static", "-cpu", "cortex-a53")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return built(tmp_path_factory.mktemp("agent") / "p", board.load("rpi-emulated"), MODEL)


@pytest.fixture(scope="module")
def url(image: Image) -> Iterator[str]:
    with runners.start(image, options=("--cpus", "0")) as device:
        yield device.url


def agent(link: Link, image: Image) -> Agent:
    return Agent(link, image.project.graph, image.build_id)


def facts_of(image: Image, *options: str) -> Facts:
    with runners.start(image, options=options) as device, Link(device.url, 115_200) as link:
        return agent(link, image).facts()


def test_a_burst_gives_the_outputs_of_a_run_and_leaves_the_inputs(image: Image, url: str) -> None:
    with Link(url, 115_200) as link:
        made = agent(link, image)
        run = made.run(SAMPLE, reset=True)
        before = int(link.request("clock").args["runs"])
        first = made.burst(SAMPLE, runs=50, seconds=10)
        again = made.burst(SAMPLE, runs=3, seconds=10)
        assert (len(first.samples_ns), len(again.samples_ns)) == (50, 3)
        assert first.crc == again.crc == run.crc
        assert all(time > 0 for time in first.samples_ns)
        # A run, too, finds them, though the bursts used their place.
        crc = f"{zlib.crc32(b''.join(SAMPLE)):08x}"
        reply = link.request("run", crc=crc, reset=1)
        assert (reply.args["crc"], reply.args["step"]) == (f"{run.crc:08x}", "1")
        assert int(link.request("clock").args["runs"]) == before + 55  # and the one that burst compares with


def test_a_burst_ends_in_time(image: Image, url: str) -> None:
    with Link(url, 115_200) as link:
        burst = agent(link, image).burst(SAMPLE, runs=65_536, seconds=1)
    assert len(burst.samples_ns) < 65_536
    assert sum(burst.samples_ns) < 2_000_000_000


def test_what_is_no_burst_is_refused(url: str) -> None:
    with Link(url, 115_200) as link:
        link.request("hello")
        for code, verb, given in (
            ("argument", "burst", {"runs": 0, "seconds": 1}),
            ("argument", "burst", {"runs": 65_537, "seconds": 1}),
            ("argument", "burst", {"runs": 1, "seconds": 11}),
            ("argument", "burst", {"runs": 1}),
            ("argument", "facts", {"offset": 0}),
            ("argument", "samples", {"offset": 1 << 20, "bytes": 8}),
        ):
            if verb == "facts":
                link.request("facts")
            with pytest.raises(Refused) as refused:
                link.request(verb, **given)
            assert refused.value.code == code, (verb, given)


def test_a_program_that_just_began_has_no_burst_and_no_facts(image: Image) -> None:
    with runners.start(image) as device, Link(device.url, 115_200) as link:
        link.request("hello")
        for verb, given in (
            ("burst", {"runs": 1, "seconds": 1}),
            ("samples", {"offset": 0, "bytes": 8}),
            ("facts", {"offset": 0, "bytes": 8}),
        ):
            with pytest.raises(Refused) as refused:
                link.request(verb, **given)
            assert refused.value.code == "incomplete", verb


def test_what_it_says_of_itself(image: Image, url: str) -> None:
    with Link(url, 115_200) as link:
        facts = agent(link, image).facts()
    assert (facts.arch, facts.runtime, facts.runtime_version) == ("aarch64", "aot", __version__)
    assert (facts.threads, facts.xnnpack, facts.python, facts.affinity) == (1, None, None, (0,))
    assert facts.kernel == os.uname().release
    assert (facts.model_bytes, facts.arena_bytes) == (image.weights_bytes, image.project.arena_bytes)
    assert facts.baseline_hwm_bytes is not None and facts.vm_hwm_bytes is not None
    assert 0 < facts.baseline_hwm_bytes <= facts.vm_hwm_bytes
    assert facts.init_ns is not None and facts.time_ns is not None


@pytest.mark.parametrize("name", ["rpi4", "rpi5_throttled", "rpi_zero_2_w"])
def test_of_a_machine_it_says_what_the_agent_in_python_says(image: Image, tmp_path: Path, name: str) -> None:
    machine = recorded(name)
    for path, text in machine.files.items():
        (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.lstrip("/")).write_text(text + ("\0" if path.endswith("model") else "\n"))
    told = to_json(facts_of(image, "--root", str(tmp_path)))
    expected = {key: value for key, value in mw_machine.machine_facts(machine).items() if value is not None}
    assert {key: _plain(told[key]) for key in expected if key in told} == expected


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("hostile", ["", "hot", "-5", "9" * 5000, 'a"b\\c\x1b[31m\u00e4\n', "throttled=0x"])
def test_what_is_no_fact_is_absent_or_harmless(image: Image, tmp_path: Path, hostile: str) -> None:
    for path in recorded("rpi4").files:
        (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.lstrip("/")).write_text(hostile)
    facts = facts_of(image, "--root", str(tmp_path))
    assert (facts.throttled, facts.frequency_hz, facts.load1, facts.revision) == (None,) * 4
    assert facts.os is None
    assert facts.board_model in (None, hostile[:200].strip(), "a?b?c?[31m??")


def asked(process: subprocess.Popen[bytes], seq: int) -> Any:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(records.encode(seq, "hello", {}))
    process.stdin.flush()
    while (answer := records.parse(process.stdout.readline().rstrip(b"\n"))) is None:
        pass
    return answer


def test_the_end_of_standard_input_is_its_end(image: Image) -> None:
    with subprocess.Popen([*EMULATOR, image.elf, "--stdio"], stdin=-1, stdout=-1) as process:
        assert asked(process, 7).args["build"] == image.build_id
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def test_the_latest_connection_is_the_line(url: str) -> None:
    host, port = url.removeprefix("socket://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"@12 wri")
        with Link(url, 115_200) as link:
            link.request("hello")
            assert link.damaged_lines == 0


def test_a_unix_socket_of_its_own_and_what_an_agent_before_left(image: Image, tmp_path: Path) -> None:
    path = tmp_path / "agent.socket"
    for _ in range(2):
        command = [*EMULATOR, image.elf, "--socket", path]
        with subprocess.Popen(command, stdout=-1) as process, socket.socket(socket.AF_UNIX) as line:
            assert process.stdout is not None
            assert process.stdout.readline() == f"listening on {path}\n".encode()
            assert path.stat().st_mode & 0o777 == 0o660
            line.connect(str(path))
            line.sendall(records.encode(3, "hello", {}))
            assert b"@3 ok " in line.recv(4096)
            process.kill()


def test_a_serial_line(image: Image) -> None:
    host, device = os.openpty()
    command = [*EMULATOR, image.elf, "--serial", os.ttyname(device), "--baud", "230400"]
    with subprocess.Popen(command) as process:
        said = b""
        while b"\n" not in said:
            said += os.read(host, 4096)
        os.write(host, records.encode(3, "hello", {}))
        while b" ok " not in said or not said.endswith(b"\n"):
            said += os.read(host, 4096)
        process.kill()
    os.close(host)
    os.close(device)
    assert f"build={image.build_id}".encode() in said


@pytest.mark.parametrize(
    "options",
    [
        ("--listen", "here"),
        ("--listen", "127.0.0.1:99999"),
        ("--serial", "/dev/none"),
        ("--serial", "/dev/null", "--baud", "7"),
        ("--socket", "/nowhere/socket"),
        ("--cpus", "none"),
        ("--cpus", "0,"),
    ],
)
def test_a_line_that_is_none_is_said(image: Image, options: tuple[str, ...]) -> None:
    done = subprocess.run([*EMULATOR, image.elf, *options], capture_output=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(b"agent: ") and done.stderr.count(b"\n") == 1
