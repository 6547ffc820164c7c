"""The firmware's application in C, on this machine under ASan and UBSan: over pipes and over a socket."""

from __future__ import annotations

import base64
import random
import socket
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from microwright.link import Link, Refused
from tests.support import small_app
from tests.support.fake_device import parse, record
from tests.support.small_app import CHUNK, OUTPUTS


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_app.compile_with("port_pipe.c", tmp_path_factory.mktemp("firmware") / "firmware")


HELLO = record(65535, "hello")


def talk(firmware: Path, sent: bytes, greeting: bytes = HELLO) -> list[bytes]:
    """The lines that the firmware answers after the greeting; the sanitizers have nothing to say."""
    done = subprocess.run([firmware], input=greeting + sent, capture_output=True, timeout=120)
    assert done.returncode == 0 and done.stderr == b"", done.stderr.decode()
    banner, *lines, rest = done.stdout.split(b"\n")
    assert banner == b"microwright: a model on stub" and rest == b""
    return lines[1:] if greeting else lines


def codes(firmware: Path, *requests: bytes) -> list[str]:
    """`ok`, the error's code or `damaged` for each answer."""
    answers = [parse(line) for line in talk(firmware, b"".join(requests))]
    assert all(answer is not None for answer in answers)
    return [answer[2].get("code", answer[1]) for answer in answers if answer is not None]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def inference(seq: int, data: bytes, **options: int) -> list[bytes]:
    """Requests that write both inputs and run."""
    pieces = [(0, 0, data[:5]), (1, 0, data[5:37]), (1, 32, data[37:])]
    lines = [
        record(seq + i, "write", input=index, offset=offset, data=b64(piece))
        for i, (index, offset, piece) in enumerate(pieces)
    ]
    return [*lines, record(seq + 3, "run", crc=f"{zlib.crc32(data):08x}", **options)]


DATA = bytes(range(100, 145))


@pytest.fixture
def link(firmware: Path) -> Iterator[Link]:
    """A link to the firmware, over a socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"socket://127.0.0.1:{listener.getsockname()[1]}"
        with Link(url, 115_200) as link:
            connection, _ = listener.accept()
            with connection, subprocess.Popen([firmware], stdin=connection, stdout=connection) as process:
                connection.close()
                link.request("hello")
                yield link
                link.close()
                assert process.wait(10) == 0


def test_it_says_what_it_is(link: Link) -> None:
    assert link.request("hello").args == {
        "proto": "1",
        "board": "stub",
        "engine": "aot",
        "model": "0011223344556677",
        "build": "009fff",
        "chunk": str(CHUNK),
        "timer_hz": "4294967295",
        "cpu_hz": "0",
        "counter": "timer",
        "overhead": "7",
        "inputs": "5,40",
        "outputs": "6,100",
        "layers": "2",
        "arena": "106",
    }


def test_who_has_booted_waits_for_hello(firmware: Path) -> None:
    requests = [*inference(1, DATA), record(5, "layer", index=0), record(6, "memory"), record(7, "nothing")]
    answers = [parse(line) for line in talk(firmware, b"".join(requests) + HELLO + requests[0], b"")]
    assert [answer[2].get("code", answer[1]) for answer in answers if answer] == ["hello"] * 7 + ["ok"] * 2


def test_an_inference(link: Link) -> None:
    for _ in range(2):
        link.request("write", input=0, offset=0, data=b64(DATA[:5]))
        link.request("write", input=1, offset=0, data=b64(DATA[5:37]))
        link.request("write", input=1, offset=32, data=b64(DATA[37:]))
        reply = link.request("run", crc=f"{zlib.crc32(DATA):08x}")
        assert (reply.args["ticks"], reply.args["stack"]) == ("1123", "1234")
        outputs = []
        for index, size in enumerate(OUTPUTS):
            data = b""
            for offset in range(0, size, CHUNK):
                count = min(CHUNK, size - offset)
                args = link.request("read", output=index, offset=offset, bytes=count).args
                data += base64.b64decode(args["data"], validate=True)
            outputs.append(data)
        assert outputs[0][0] == sum(DATA) % 256
        assert outputs[1] == (DATA[5:] * 3)[:100]
        assert reply.args["crc"] == f"{zlib.crc32(b''.join(outputs)):08x}"
    assert outputs[0][1] == 2
    assert link.request("clock").args == {"ticks": "18446744073709551615", "runs": "2"}
    assert link.request("memory").args == {"stack_peak": "5678", "arena_peak": "106"}


def test_layers_are_timed_apart_and_64_bits_wide(link: Link) -> None:
    with pytest.raises(Refused, match="incomplete"):
        link.request("layer", index=0)
    link.request("write", input=0, offset=0, data=b64(DATA[:5]))
    link.request("write", input=1, offset=0, data=b64(DATA[5:37]))
    link.request("write", input=1, offset=32, data=b64(DATA[37:]))
    reply = link.request("run", crc=f"{zlib.crc32(DATA):08x}", layers=1)
    assert link.request("layer", index=0).args == {"ticks": "123"}
    assert link.request("layer", index=1).args == {"ticks": "18446744073709551000"}
    assert reply.args["ticks"] == str(123 + 18446744073709551000)
    with pytest.raises(Refused, match="argument"):
        link.request("layer", index=2)


def test_an_inference_layer_by_layer_and_the_arena_in_between(firmware: Path) -> None:
    *writes, run = inference(1, DATA, until=0)

    def look(seq: int, offset: int, count: int, **options: int) -> bytes:
        return record(seq, "arena", offset=offset, bytes=count, **options)

    def advance(seq: int, until: int) -> bytes:
        return record(seq, "advance", until=until)

    requests = [
        run,
        look(5, 0, 5, data=1),
        advance(6, 1),
        look(7, 0, 32, data=1),
        advance(8, 2),
        look(9, 0, 106),
    ]
    answers = talk(firmware, b"".join([*writes, *requests]))[3:]
    args = [(parse(answer) or (0, "", {}))[2] for answer in answers]
    # The place of the inputs: not overwritten before the first layer ran.
    assert base64.b64decode(args[1]["data"]) == DATA[:5]
    after = (bytes([sum(DATA) % 256, 1, 0, 0, 0, 0]) + DATA[5:] * 3)[:106]
    assert base64.b64decode(args[3]["data"]) == after[:32]
    assert args[5]["crc"] == f"{zlib.crc32(after):08x}"
    # Layers that ran already do not run again, by whichever number they are asked for.
    again = [run, advance(6, 1), advance(6, 1), advance(7, 1), advance(8, 0), look(9, 1, 1, data=1)]
    last = parse(talk(firmware, b"".join([*writes, *again]))[-1])
    assert last is not None and base64.b64decode(last[2]["data"]) == b"\x01"


def test_a_walk_needs_a_run_that_stopped_and_stays_in_the_arena(firmware: Path) -> None:
    look, advance = record(8, "arena", offset=0, bytes=1), record(9, "advance", until=1)
    *writes, run = inference(1, DATA, until=1)
    assert codes(firmware, look, advance) == ["incomplete", "incomplete"]
    assert codes(firmware, *writes, run, look, advance) == ["ok"] * 6
    assert codes(firmware, *writes, run, *inference(10, DATA), look, advance)[-2:] == ["incomplete"] * 2
    outside = [
        {"offset": 0, "bytes": 107},
        {"offset": 107, "bytes": 0},
        {"offset": 4294967295, "bytes": 2},
        {"offset": 0, "bytes": CHUNK + 1, "data": 1},
        {"offset": 0},
    ]
    refused = [record(20 + i, "arena", **args) for i, args in enumerate(outside)]
    assert codes(firmware, *writes, run, *refused, record(30, "advance"))[4:] == ["argument"] * 6
    # Beyond the last layer.
    too_far = [record(31, "advance", until=3), record(32, "advance", until=4294967295), look]
    assert codes(firmware, *writes, run, *too_far)[4:] == ["argument", "argument", "ok"]
    # What is written may lie where a tensor lay; what is refused does no harm.
    assert codes(firmware, *writes, run, record(33, "write", input=2), look)[4:] == ["argument", "ok"]
    assert codes(firmware, *writes, run, writes[0], look, advance)[4:] == ["ok", "incomplete", "incomplete"]
    *writes, run = inference(1, b"\xff" + DATA[1:], until=0)
    assert codes(firmware, *writes, run, record(5, "advance", until=1), look)[3:] == [
        "ok",
        "model",
        "incomplete",
    ]


def test_a_repeated_run_is_answered_again_without_running(firmware: Path) -> None:
    requests = inference(10, DATA)
    read = record(14, "read", output=0, offset=0, bytes=6)
    answers = talk(firmware, b"".join([*requests, requests[-1], requests[-1], read]))
    assert answers[3] == answers[4] == answers[5]
    assert base64.b64decode((parse(answers[6]) or (0, "", {}))[2]["data"])[1] == 1


def test_the_same_number_in_a_later_session_runs(firmware: Path) -> None:
    requests = inference(10, DATA)
    read = record(14, "read", output=0, offset=0, bytes=6)
    answers = talk(firmware, b"".join([*requests, read, *requests, read]))
    assert base64.b64decode((parse(answers[9]) or (0, "", {}))[2]["data"])[1] == 2


@pytest.mark.parametrize(
    "option",
    [{key: value} for key in ("until", "reset", "layers") for value in ("", "abc", "1x", "-1", 4294967295)]
    + [{"until": 3}, {"reset": 2}, {"layers": 2}],
)
def test_a_run_with_a_wrong_option_does_nothing(firmware: Path, option: dict[str, int | str]) -> None:
    crc = f"{zlib.crc32(DATA):08x}"
    *writes, run = inference(20, DATA)
    answers = talk(
        firmware, b"".join([*inference(1, DATA), *writes, record(9, "run", crc=crc, **option), run])
    )
    refused, done = (parse(line) for line in answers[-2:])
    assert refused == (9, "error", {"code": "argument"})
    # The inputs are still there, and so is the state.
    assert done is not None and done[1] == "ok" and done[2]["step"] == "2"


@pytest.mark.parametrize("value", ["", "abc", "1x", 2])
def test_a_look_with_a_wrong_option_is_refused(firmware: Path, value: int | str) -> None:
    requests = [*inference(1, DATA, until=0), record(5, "arena", offset=0, bytes=1, data=value)]
    assert codes(firmware, *requests)[-1] == "argument"


def test_an_old_result_does_not_answer_a_later_run_of_the_same_number(firmware: Path) -> None:
    requests = inference(10, DATA)
    run = requests[-1]
    assert codes(firmware, *requests, record(14, "hello"), run, run) == [
        *["ok"] * 5,
        "incomplete",
        "incomplete",
    ]


def test_nothing_runs_on_inputs_that_are_not_whole_or_not_right(firmware: Path) -> None:
    first, second, third, run = inference(1, DATA)
    wrong = record(9, "run", crc="00000000")
    assert codes(firmware, run) == ["incomplete"]
    assert codes(firmware, first, second, run) == ["ok", "ok", "incomplete"]
    assert codes(firmware, first, second, third, wrong) == ["ok", "ok", "ok", "crc"]
    assert codes(firmware, first, third, second, third, run) == ["ok", "order", "ok", "ok", "ok"]
    assert codes(firmware, first, second, third, second, run) == ["ok", "ok", "ok", "ok", "incomplete"]
    # A run uses its inputs up.
    assert codes(firmware, first, second, third, run, record(5, "run", crc=f"{zlib.crc32(DATA):08x}")) == [
        *["ok"] * 4,
        "incomplete",
    ]


def test_a_model_that_fails_says_so_and_says_it_again(firmware: Path) -> None:
    requests = inference(1, b"\xff" + DATA[1:])
    assert codes(firmware, *requests, requests[-1]) == ["ok", "ok", "ok", "model", "model"]


@pytest.mark.parametrize(
    "args",
    [
        {"input": 2, "offset": 0, "data": "AAAA"},
        {"input": -1, "offset": 0, "data": "AAAA"},
        {"input": 4294967296, "offset": 0, "data": "AAAA"},
        {"input": "0x0", "offset": 0, "data": "AAAA"},
        {"input": "", "offset": 0, "data": "AAAA"},
        {"offset": 0, "data": "AAAA"},
        {"input": 0, "data": "AAAA"},
        {"input": 0, "offset": 0},
        {"input": 0, "offset": 0, "data": b64(bytes(6))},
        {"input": 0, "offset": 0, "data": "A"},
        {"input": 0, "offset": 0, "data": "AAA"},
        {"input": 0, "offset": 0, "data": "AA=A"},
        {"input": 0, "offset": 0, "data": "A==="},
        {"input": 0, "offset": 0, "data": "===="},
        {"input": 0, "offset": 0, "data": "AA==AAAA"},
        {"input": 0, "offset": 0, "data": "AA-A"},
    ],
)
def test_wrong_arguments_of_write(firmware: Path, args: dict[str, int | str]) -> None:
    assert codes(firmware, record(1, "write", **args)) == ["argument"]


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xfe\x80", b"\x01\x02\x03", b"\xfb\xff\xbf\x10\x20"])
def test_base64_of_every_length(firmware: Path, data: bytes) -> None:
    rest = DATA[len(data) : 5]
    writes = [
        record(1, "write", input=0, offset=0, data=b64(data)),
        record(2, "write", input=0, offset=len(data), data=b64(rest)),
    ]
    run = inference(3, data + rest + DATA[5:])[1:]
    assert codes(firmware, *writes, *run) == ["ok"] * 5


@pytest.mark.parametrize(
    "args",
    [
        {"output": 2, "offset": 0, "bytes": 1},
        {"output": 0, "offset": 7, "bytes": 0},
        {"output": 0, "offset": 6, "bytes": 1},
        {"output": 0, "offset": 4294967295, "bytes": 1},
        {"output": 0, "offset": 1, "bytes": 4294967295},
        {"output": 1, "offset": 0, "bytes": CHUNK + 1},
        {"output": 1, "offset": 0},
    ],
)
def test_wrong_arguments_of_read(firmware: Path, args: dict[str, int | str]) -> None:
    assert codes(firmware, record(1, "read", **args)) == ["argument"]


def test_other_wrong_requests(firmware: Path) -> None:
    assert codes(firmware, record(1, "dance")) == ["verb"]
    assert codes(firmware, record(1, "run")) == ["argument"]
    assert codes(firmware, record(1, "run", crc="DEADBEEF")) == ["argument"]
    assert codes(firmware, record(1, "run", crc="0123456")) == ["argument"]
    assert codes(firmware, record(1, "run", crc="012345678")) == ["argument"]
    assert codes(firmware, record(1, "layer", index="")) == ["argument"]


def test_a_model_without_layers(tmp_path: Path) -> None:
    firmware = small_app.compile_with("port_pipe.c", tmp_path / "firmware", "-DMW_LAYERS=0")
    assert codes(firmware, record(1, "layer", index=0), *inference(2, DATA, layers=1)) == [
        "argument",
        *["ok"] * 4,
    ]


def test_replies_are_not_answered_and_damage_is(firmware: Path) -> None:
    hello = record(7, "hello")
    assert codes(firmware, record(0, "damaged"), record(3, "ok"), record(3, "error", code="x"), b"\n\n") == []
    assert (
        codes(firmware, b"noise\n", hello[:-3] + b"\n", b"@" * 5000 + b"\n", b"x" * 5000 + b"\n")
        == ["damaged"] * 4
    )
    assert codes(firmware, record(65536, "hello"), record(-1, "hello")) == ["damaged"] * 2
    # A record that lost its newline, or got noise before it, costs only itself.
    assert codes(firmware, hello[:-1] + hello, b"\xff\x00noise" + hello, b"x" * 5000 + hello) == ["ok"] * 3


def hostile_lines(chance: random.Random) -> bytes:
    """A line: noise, a damaged request, or nonsense with the right checksum."""
    words = [
        *(
            "hello",
            "write",
            "run",
            "layer",
            "read",
            "memory",
            "ok",
            "@",
            "#",
            "=",
            " ",
            "\0",
            "\r",
            "x" * 300,
        ),
        *(
            f"{key}={value}"
            for key in ("input", "offset", "output", "bytes", "index")
            for value in _numbers(chance)
        ),
        *(f"data={b64(chance.randbytes(n))}" for n in (0, 1, 5, 32, 40)),
        *("data=", "data=====", "crc=", "crc=0123456", f"crc={zlib.crc32(DATA):08x}", "layers=1", "layers="),
    ]
    match chance.randrange(4):
        case 0:
            return chance.randbytes(chance.randrange(300)) + b"\n"
        case 1:
            line = bytearray(chance.choice(inference(chance.randrange(1, 4), DATA, layers=1)))
            for _ in range(chance.randrange(4)):
                line[chance.randrange(len(line))] = chance.randrange(256)
            return bytes(line)
        case 2:
            return b"".join(inference(chance.randrange(1, 65530), DATA, layers=chance.randrange(2)))
        case _:
            body = f"@{chance.choice([*_numbers(chance), '17'])} " + " ".join(
                chance.choices(words, k=chance.randrange(7))
            )
            text = body.encode() + chance.choice([b" ", b"", b"\0"])
            return text + b"#%08x\n" % zlib.crc32(text)


def _numbers(chance: random.Random) -> list[str]:
    return [
        "0",
        "1",
        "5",
        "4294967295",
        "4294967296",
        "-1",
        "",
        "99999999999999999999",
        str(chance.randrange(50)),
    ]


def fuzz(firmware: Path, seed: int, lines: int) -> None:
    chance = random.Random(seed)
    answers = talk(
        firmware, b"".join(hostile_lines(chance) for _ in range(lines)) + b"\n" + record(9, "memory")
    )
    assert all(parse(line) is not None for line in answers)
    last = parse(answers[-1])
    assert last is not None and last[:2] == (9, "ok") and last[2]["stack_peak"] == "5678"
    assert sum(b" ok ticks=" in line for line in answers) > lines // 10


def test_hostile_bytes(firmware: Path) -> None:
    fuzz(firmware, 0, 4000)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(1, 21))
def test_hostile_bytes_thoroughly(firmware: Path, seed: int) -> None:
    fuzz(firmware, seed, 20000)
