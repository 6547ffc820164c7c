"""The agent in Python as a process of this computer, with LiteRT."""

from __future__ import annotations

import base64
import os
import select
import socket
import termios
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import interpreter as litert

from microwright.agent import Agent, python_build_id
from microwright.dialogue import bytes_of
from microwright.errors import StaleFirmware
from microwright.graph import Graph
from microwright.link import Link, records
from tests.support import firmware, stateful
from tests.support.agent import mw_line, mw_model, running, started

MODEL = firmware.dense(64, 10)
SAMPLE = tuple(
    np.random.default_rng(5).integers(-128, 128, MODEL.tensors[i].shape, np.int8) for i in MODEL.inputs
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    path.write_bytes(MODEL.flatbuffer)
    return path


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    """An agent with an XNNPACK of two threads, that runs on one CPU."""
    with running(model, "--threads", "2", "--cpus", "0") as at:
        yield at


def outputs(graph: Graph, xnnpack: bool) -> tuple[bytes, ...]:
    """What LiteRT itself gives of the sample."""
    resolver = litert.OpResolverType
    made = litert.Interpreter(
        model_content=graph.flatbuffer,
        experimental_op_resolver_type=resolver.AUTO
        if xnnpack
        else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    made.allocate_tensors()
    for index, array in zip(graph.inputs, SAMPLE, strict=True):
        made.set_tensor(index, array)
    made.invoke()
    return tuple(made.get_tensor(index).tobytes() for index in graph.outputs)


def test_it_gives_the_bytes_of_litert_and_the_facts_of_this_computer(url: str, model: Path) -> None:
    with Link(url, 115_200) as link:
        agent = Agent(link, MODEL, python_build_id(MODEL.flatbuffer))
        assert (agent.hello["engine"], agent.hello["board"]) == ("litert", "rpi4")
        assert (agent.hello["counter"], agent.timer.hz) == ("clock", 10**9)
        before = agent.facts()
        run = agent.run(bytes_of(SAMPLE), reset=True)
        assert run.outputs == outputs(MODEL, xnnpack=True)
        burst = agent.burst(bytes_of(SAMPLE), runs=200)
        assert (len(burst.samples_ns), burst.crc) == (200, run.crc)
        assert agent.layer_ticks(bytes_of(SAMPLE)) == ()
        after = agent.facts()
    assert all(time > 0 for time in burst.samples_ns)
    assert sum(burst.samples_ns) < after.time_ns - before.time_ns
    assert (after.runtime, after.threads, after.xnnpack, after.affinity) == ("ai-edge-litert", 2, True, (0,))
    assert after.kernel == os.uname().release
    assert after.arch == os.uname().machine
    assert after.model_bytes == len(MODEL.flatbuffer)
    assert 0 < after.baseline_hwm_bytes < after.vm_hwm_bytes
    assert after.init_ns > 0


def test_the_latest_connection_is_the_line_and_boot_is_the_start_of_the_process(url: str) -> None:
    with Link(url, 115_200) as first:
        first.request("hello")
        with Link(url, 115_200) as second:
            assert int(second.request("clock").args["runs"]) >= 0, "it was greeted already"
    host, port = url.removeprefix("socket://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"@12 wri")
    with Link(url, 115_200) as third:
        third.request("hello")
        assert third.damaged_lines == 0


def test_another_model_is_another_build(url: str) -> None:
    with Link(url, 115_200) as link, pytest.raises(StaleFirmware):
        Agent(link, MODEL, python_build_id(b"another"))


def test_without_xnnpack_and_over_its_standard_streams(model: Path) -> None:
    process = started(model, "--stdio", "--xnnpack", "off", stdin=-1)
    listener = socket.create_server(("127.0.0.1", 0))

    def carry(source: Any, write: Any) -> None:
        while data := source(4096):
            write(data)

    with Link(f"socket://127.0.0.1:{listener.getsockname()[1]}", 115_200) as link:
        line, _ = listener.accept()
        with listener, line:
            ends = [
                threading.Thread(target=carry, args=ways, daemon=True)
                for ways in (
                    (partial(os.read, process.stdout.fileno()), line.sendall),
                    (line.recv, partial(os.write, process.stdin.fileno())),
                )
            ]
            for end in ends:
                end.start()
            agent = Agent(link, MODEL, python_build_id(MODEL.flatbuffer))
            assert agent.run(bytes_of(SAMPLE), reset=True).outputs == outputs(MODEL, xnnpack=False)
            assert agent.facts().xnnpack is False
            link.close()
            ends[1].join(20)
            process.stdin.close()
            assert process.wait(20) == 0, "the end of the line is its end"
            ends[0].join(20)
    process.stdout.close()
    process.stderr.close()


def test_over_a_serial_line_and_its_settings(model: Path) -> None:
    host, device = os.openpty()
    process = started(model, "--serial", os.ttyname(device), "--baud", "230400")
    try:
        said = b""
        for _ in range(100):
            # What comes before the line is open is lost.
            os.write(host, records.encode(3, "hello", {}))
            while select.select([host], [], [], 0.2)[0]:
                said += os.read(host, 4096)
            if b" ok " in said:
                break
        said = said[: said.index(b"\n", said.index(b" ok "))]
        answer = records.parse(said)
        assert answer is not None
        assert (answer.seq, answer.verb, answer.args["engine"]) == (3, "ok", "litert")
        assert termios.tcgetattr(device)[4:6] == [termios.B230400, termios.B230400]
    finally:
        process.kill()
        process.communicate()
        os.close(host)
        os.close(device)


def test_over_a_unix_socket_that_another_left_and_a_state_that_a_reset_puts_back(tmp_path: Path) -> None:
    m, x, y = stateful.counter()
    path, at = tmp_path / "model.tflite", tmp_path / "agent.socket"
    path.write_bytes(m.build([x], [y]))
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(at))
    process = started(path, "--socket", str(at))
    try:
        with socket.socket(socket.AF_UNIX) as line:
            assert process.stdout.readline().decode() == f"listening on {at}\n"
            line.connect(str(at))
            assert at.stat().st_mode & 0o777 == 0o660
            answers = line.makefile("rb")

            def ask(seq: int, verb: str, **args: int | str) -> dict[str, str]:
                line.sendall(records.encode(seq, verb, args))
                record = records.parse(answers.readline().rstrip(b"\n"))
                assert record is not None
                return dict(record.args)

            ask(1, "hello")
            sums = []
            for number, reset in enumerate((1, 0, 1, 0), start=1):
                data = bytes([10, 10, 10, 10])
                ask(10 * number, "write", input=0, offset=0, data=base64.b64encode(data).decode())
                assert ask(10 * number + 1, "run", crc=f"{zlib.crc32(data):08x}", reset=reset)["step"] == str(
                    2 - reset
                )
                sums.append(
                    base64.b64decode(ask(10 * number + 2, "read", output=0, offset=0, bytes=4)["data"])
                )
    finally:
        process.kill()
        process.communicate()
    assert sums == [bytes([11, 12, 13, 14]), bytes([21, 22, 23, 24])] * 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "nothing.tflite"], "cannot read the model nothing.tflite: No such file"),
        (["--model", __file__], "ai_edge_litert does not take the model"),
        (["--cpus", "9999"], "cannot run on the CPUs 9999"),
    ],
)
def test_what_is_wrong_with_the_model_is_one_line(model: Path, options: list[str], says: str) -> None:
    output, said = started(model, "--stdio", *options, stdin=-3).communicate(timeout=60)
    assert said.decode().splitlines()[-1].startswith(f"error: {says}")
    assert b"Traceback" not in said
    assert output == b""


@pytest.mark.parametrize(
    ("opened", "says"),
    [
        (lambda: mw_line.serial(Path("/dev/null"), 12345), "no serial line runs at 12345 baud"),
        (lambda: mw_line.serial(Path("/dev/null"), 9600), "cannot open the serial line /dev/null"),
        (lambda: mw_line.serial(Path("/dev/nothing"), 9600), "cannot open the serial line /dev/nothing"),
        (lambda: mw_line.tcp("127.0.0.1:99999"), "cannot listen on 127.0.0.1:99999"),
        (lambda: mw_line.tcp("4000"), "cannot listen on 4000"),
        (lambda: mw_line.unix(Path("/nothing/agent")), "cannot listen on /nothing/agent"),
    ],
)
def test_a_line_that_cannot_be_is_an_error(opened: Callable[[], object], says: str) -> None:
    with pytest.raises(mw_model.Failed, match=says):
        opened()
