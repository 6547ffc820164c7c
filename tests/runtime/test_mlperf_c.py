"""The firmware that answers MLPerf Tiny's protocol, on this machine under ASan and UBSan, over pipes."""

from __future__ import annotations

import random
import re
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from microwright import board, project
from microwright.graph import Array, Graph, read
from microwright.profile import MlperfTiny
from tests.support.fake_device import parse, record
from tests.support.firmware import dense
from tests.support.native import FLAGS, references
from tests.support.small_app import PIPE_PORT
from tests.support.tflite_maker import Maker

Rng = np.random.Generator


def identity(elements: int) -> Graph:
    """A float32 model whose output is its input."""
    made = Maker()
    x = made.tensor((1, elements), "float32")
    y = made.tensor((elements, 1), "float32")
    made.node("RESHAPE", [x, made.const([elements, 1], dtype="int32")], [y], new_shape=[elements, 1])
    return read(made.build([x], [y]), "identity")


def compile_firmware(folder: Path, graph: Graph, profile: MlperfTiny) -> Path:
    """A project of the host board whose serial line is standard input and output."""
    made = project.create(folder / "project", graph, board.load("host"), profile=profile)
    sources = [str(made.directory / path) for path in made.files if path.endswith(".c")]
    sources = [path for path in sources if Path(path).parent.name != "port"]
    includes = [f"-I{made.directory / name}" for name in ("app", "model", "port", "runtime/include")]
    flags = ["-DMW_MLPERF_TINY", "-D_POSIX_C_SOURCE=200809L", "-ffp-contract=off", *includes]
    program = folder / "firmware"
    subprocess.run(["gcc", *FLAGS, *flags, *sources, *PIPE_PORT, "-o", program], check=True)
    return program


def run(firmware: Path, sent: bytes) -> list[str]:
    """The lines behind the boot's; the sanitizers have nothing to say."""
    done = subprocess.run([firmware], input=sent, capture_output=True, timeout=120)
    assert done.returncode == 0 and done.stderr == b"", done.stderr.decode()
    banner, *lines, rest = done.stdout.decode("latin-1").split("\n")
    assert banner.startswith("microwright: ") and rest == ""
    return [line.removesuffix("\r") for line in lines]


def talk(firmware: Path, *commands: str) -> list[list[str]]:
    """The lines of each command's answer, without `m-ready`."""
    answers: list[list[str]] = [[]]
    for line in run(firmware, "".join(f"{command}%" for command in commands).encode("latin-1")):
        if line == "m-ready":
            answers.append([])
        else:
            answers[-1].append(line)
    assert answers.pop() == []
    assert len(answers) == len(commands)
    return answers


def loading(data: bytes, chunk: int = 31) -> list[str]:
    """The commands that load an input, as the benchmark's runner sends them."""
    pieces = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    return [f"db load {len(data)}", *(f"db {piece.hex()}" for piece in pieces)]


def results(answer: list[str]) -> list[float]:
    """The numbers of a result, found as the benchmark's runner finds them."""
    (found,) = [match for line in answer if (match := re.match(r"^m-results-\[([^]]+)\]$", line))]
    return [float(text) for text in found[1].split(",")]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def make(graph: Graph, profile: MlperfTiny = MlperfTiny()) -> Path:  # noqa: B008
        return compile_firmware(tmp_path_factory.mktemp("firmware"), graph, profile)

    return make


DENSE = dense(50, 4)


@pytest.fixture(scope="module")
def firmware(make: Callable[..., Path]) -> Path:
    return make(DENSE, MlperfTiny(model="mine", sent="uint8"))


def dense_results(graph: Graph, sample: Array) -> list[float]:
    """What the reference interpreter gives, dequantised in float32."""
    output = graph.tensors[graph.outputs[0]]
    assert output.quantization is not None
    (values,) = references(graph.flatbuffer, [[sample]])[0]
    centred = values.astype(np.float32) - np.float32(output.quantization.zero_points[0])
    return [float(value) for value in (centred * np.float32(output.quantization.scales[0])).reshape(-1)]


def test_it_says_what_it_is(firmware: Path) -> None:
    assert talk(firmware, "name", "profile", "timestamp") == [
        ["m-name-dut-[host]"],
        ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[mine]"],
        ["m-lap-us-4294967297000000"],
    ]


def test_a_benchmark_as_the_runner_asks_for_it(firmware: Path) -> None:
    data = np.random.default_rng(1).integers(0, 256, (1, 50)).astype(np.uint8)
    answers = talk(firmware, *loading(data.tobytes()), "infer 3 2", "infer 1 0", "results")
    assert answers[:3] == [["m-[Expecting 50 bytes]"], [], ["m-load-done"]]
    infer = answers[3]
    assert infer[:4] == ["m-warmup-start-2", "m-warmup-done", "m-infer-start-3", "m-lap-us-0"]
    assert re.fullmatch(r"m-lap-us-\d+", infer[4]) and infer[5] == "m-infer-done"
    expected = dense_results(DENSE, (data ^ 0x80).view(np.int8))
    assert results(infer) == pytest.approx(expected, rel=1e-8)
    # The input is still there, whatever an inference did to it in the arena.
    assert answers[4][-1] == answers[5][-1] == infer[-1]


def test_floats_are_quantised_as_by_the_reference(make: Callable[..., Path]) -> None:
    graph = dense(50, 4)
    firmware = make(graph, MlperfTiny(sent="float32"))
    source = graph.tensors[graph.inputs[0]].quantization
    assert source is not None
    scale, zero_point = np.float32(source.scales[0]), source.zero_points[0]
    data = np.random.default_rng(2).normal(0, 3, (1, 50)).astype(np.float32)
    # Halves, just below a half, far too much, and what is no number.
    data[0, :8] = np.float32([0.5, -0.5, 1.5, 0.49999997, -0.49999997, 1e30, -1e30, 0]) * scale
    data[0, 7] = -np.inf
    scaled = (data / scale).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled) + zero_point
    sample = np.clip(rounded, -128, 127).astype(np.int8)
    answer = talk(firmware, *loading(data.tobytes()), "infer 1 0")[-1]
    assert results(answer) == pytest.approx(dense_results(graph, sample), rel=1e-8)
    data[0, 3] = np.nan
    assert len(results(talk(firmware, *loading(data.tobytes()), "infer 1 0")[-1])) == 4


def test_the_error_of_a_reconstruction(make: Callable[..., Path]) -> None:
    graph = dense(640, 640)
    firmware = make(graph)
    assert talk(firmware, "profile")[0][1] == "m-model-[ad01]"
    data = np.random.default_rng(3).normal(0, 3, (1, 640)).astype(np.float32)
    source = graph.tensors[graph.inputs[0]].quantization
    assert source is not None
    sample = np.clip(np.round(data / np.float32(source.scales[0])) + source.zero_points[0], -128, 127)
    outputs = np.float32(dense_results(graph, sample.astype(np.int8)))
    total = np.float32(0)
    for difference in outputs - data[0]:
        total += difference * difference
    (error,) = results(talk(firmware, *loading(data.tobytes()), "infer 1 0")[-1])
    assert error == pytest.approx(float(total / np.float32(640)), rel=1e-8)


def test_decimals_tell_any_two_floats_apart_in_their_order(make: Callable[..., Path]) -> None:
    firmware = make(identity(700))
    rng = np.random.default_rng(4)
    # Of every size from 1e-9 to 2^64, each with its neighbour, and those that Python's decimals end soon of.
    values = np.float32(2.0 ** rng.uniform(-29.8, 64, 300) * rng.choice([-1, 1], 300))
    values = values[np.abs(values) < 2.0**64]
    easy = np.arange(0, 257, 16, dtype=np.float32) / 256
    values = np.concatenate([values, np.nextafter(values, np.float32(0)), easy])
    values = np.concatenate([values, np.zeros(700 - len(values), np.float32)])
    read = results(talk(firmware, *loading(values.tobytes()), "infer 1 0")[-1])
    np.testing.assert_allclose(read, values.astype(np.float64), rtol=1e-8, atol=0)
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.float64(read)[order]) > 0).tolist() == (np.diff(values[order]) > 0).tolist()
    assert set(easy.tolist()) <= set(read)


def test_floats_beyond_decimals(make: Callable[..., Path]) -> None:
    firmware = make(identity(700))
    values = np.zeros(700, np.float32)
    bits = np.uint32([0x00000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x80000001])
    values[:7] = bits.view(np.float32)
    read = results(talk(firmware, *loading(values.tobytes()), "infer 1 0")[-1])
    assert read[:3] == [0, 0, 0] and read[6] == 0
    assert read[3] == read[4] == np.inf and np.isnan(read[5])
    assert max(abs(value) for value in read[7:]) == 0


@pytest.mark.parametrize(
    "commands",
    [
        ["db load 51"],
        ["db load 4294967296"],
        ["db load 0"],
        ["db load"],
        ["db load -1"],
        ["db load 5x"],
        ["db"],
        ["db 00"],
        ["db load 5", "db 0"],
        ["db load 5", "db 0g"],
        ["db load 5", "db 000000000000"],
        ["db load 5", "db 0000000000", "db 00"],
        ["db print x"],
        ["db print 51"],
        ["db print 1 51"],
        ["infer"],
        ["db load 5", "db 0000000000", "infer 1 0"],
        ["db load 50", *loading(bytes(50))[1:-1], "infer 1 0"],
        [*loading(bytes(50)), "db load 50", "infer 1 0"],
        [*loading(bytes(50)), "infer 0"],
        [*loading(bytes(50)), "infer -1"],
        [*loading(bytes(50)), "infer 1000001"],
        [*loading(bytes(50)), "infer 1 1000001"],
        [*loading(bytes(50)), "infer x"],
        [""],
        [" "],
        ["dance"],
        ["names"],
        ["name" + "x" * 600],
        ["x" * 100_000],
        ["@17 hello"],
    ],
)
def test_wrong_commands_are_refused(firmware: Path, commands: list[str]) -> None:
    answer = talk(firmware, *commands)[-1]
    assert len(answer) == 1 and re.fullmatch(r"e-\[.*\]", answer[0]), answer
    assert "m-ready" not in answer[0]


def test_the_input_can_be_printed_as_it_was_sent(firmware: Path) -> None:
    data = bytes(range(40, 90))
    first, second, third = talk(firmware, *loading(data), "db print", "db print 3 9", "db print 50 48")[-3:]
    assert first == ["m-buffer-" + "-".join(f"{b:02x}" for b in data[at : at + 8]) for at in (0, 8)]
    assert second == ["m-buffer-31-32-33"]
    assert third == ["m-buffer-58-59"]


def test_records_and_commands_share_the_line(firmware: Path) -> None:
    data = bytes(range(50))
    load = "".join(f"{command}%" for command in loading(data)).encode()
    hello = record(7, "hello")
    lines = run(
        firmware, load + hello + b"db 00" + hello + b"infer 1 0%" + hello + b"@17 wri" + b"name%name%"
    )
    hellos = [parsed for line in lines if (parsed := parse(line.encode()))]
    assert [(seq, verb) for seq, verb, _ in hellos] == [(7, "ok")] * 3
    assert results(lines) == pytest.approx(
        dense_results(DENSE, (np.frombuffer(data, np.uint8) ^ 0x80).view(np.int8).reshape(1, 50)), rel=1e-8
    )
    # Half a record costs the command behind it, and no more.
    assert lines[-4:] == ["e-[unknown command]", "m-ready", "m-name-dut-[host]", "m-ready"]


def test_a_record_runs_on_what_records_wrote(firmware: Path) -> None:
    data = bytes(50)
    load = "".join(f"{command}%" for command in loading(bytes([7] * 50))).encode()
    write = record(1, "write", input=0, offset=0, data="A" * 64)
    rest = record(2, "write", input=0, offset=48, data="AAA=")
    sent = (
        record(9, "hello")
        + load
        + write
        + rest
        + b"infer 1 0%"
        + record(3, "run", crc=f"{zlib.crc32(data):08x}")
    )
    parsed = parse(run(firmware, sent)[-1].encode())
    # The inference in between used the place of the input: the run says so, or ran on the right one.
    assert parsed is not None and (parsed[1] == "ok" or parsed[2]["code"] == "crc")


def test_a_command_ends_a_walk(firmware: Path) -> None:
    data = bytes(50)
    look = record(9, "arena", offset=0, bytes=1)
    requests = [
        record(1, "hello"),
        record(2, "write", input=0, offset=0, data="A" * 64),
        record(3, "write", input=0, offset=48, data="AAA="),
        record(4, "run", crc=f"{zlib.crc32(data):08x}", until=0),
        look,
    ]
    lines = run(firmware, b"".join(requests) + b"name%" + look)
    answers = [parsed for line in lines if (parsed := parse(line.encode()))]
    assert [verb for _, verb, _ in answers] == ["ok"] * 5 + ["error"]
    assert answers[-1][2]["code"] == "incomplete"


def test_check_tells_of_damage_either_way(firmware: Path) -> None:
    commands = [*loading(bytes(50)), "infer 1 0"]
    sent = "".join(f"{command}%" for command in ["check", *commands, "check", "check"]).encode()
    done = subprocess.run([firmware], input=sent, capture_output=True, timeout=60)
    answers = done.stdout.split(b"m-ready\r\n")[1:-1]
    crc = 0
    for command, answer in zip(commands, answers, strict=False):
        crc = zlib.crc32(command.encode() + answer + b"m-ready\r\n", crc)
    assert answers[-2] == b"m-check-[%08x]\r\n" % crc
    assert answers[-1] == b"m-check-[00000000]\r\n"


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(4, 400))]
)
def test_hostile_bytes(firmware: Path, seed: int) -> None:
    """Whatever comes, nothing is read or written outside, and the device answers afterwards."""
    rng = random.Random(seed)
    words = [b"db ", b"load ", b"infer ", b"print ", b"50", b"1", b"0", b"4294967295", b"%", b"%", b" "]
    words += [b"ff" * 31, b"@17 ", b"\n", b"\0", record(3, "hello"), b"x" * 700, b"results%", b"check%"]
    words += [b"db load 50%"]
    sent = b"".join(rng.choice(words) for _ in range(3000))
    flipped = bytes(byte ^ (1 << rng.randrange(8) if rng.random() < 0.01 else 0) for byte in sent)
    # Long runs are no matter of memory.
    calm = re.sub(rb"infer( *\d)\d{3,}", rb"infer\1", flipped)
    lines = run(firmware, calm + b"%\nname%")
    assert lines[-2:] == ["m-name-dut-[host]", "m-ready"]
