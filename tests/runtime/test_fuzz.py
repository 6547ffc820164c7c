"""libFuzzer on the application in C, under ASan and UBSan: any bytes, and lines with right checksums."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from microwright import board, project
from microwright.profile import MlperfTiny
from tests.runtime.test_link_c import DATA, HELLO, b64, inference
from tests.support import small_app
from tests.support.fake_device import record
from tests.support.firmware import dense
from tests.support.small_app import INPUTS, OUTPUTS

FLAGS = ["-std=c99", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]
SANITIZERS = "address,undefined"
NO_RECOVERY = "-fno-sanitize-recover=all"

# What the fuzzer cannot guess at once.
WORDS = [
    *("@", " #", "\n", "crc=*", "@0 damaged #", "ok", "error"),
    *("hello", "write", "run", "layer", "read", "memory", "clock", "advance", "arena"),
    *("input=0", "input=1", "offset=", "data=", "reset=1", "layers=1", "index=0", "output=1", "bytes="),
    *("until=1", "until=0", "data=1"),
    *(
        "%",
        "name%",
        "profile%",
        "timestamp%",
        "results%",
        "check%",
        "db ",
        "load 50%",
        "print ",
        "infer 1 0%",
    ),
    *("4294967295", "4294967296", "65535", "65536", "AAAA", "AA==", "AAA="),
]


@cache
def missing() -> str | None:
    """Why nothing can be fuzzed here."""
    for tool in ("clang", "objcopy"):
        if shutil.which(tool) is None:
            return f"{tool}, which fuzzing takes and nothing else, is not installed: apt-get install clang"
    argv = ["clang", "-fsanitize=fuzzer", "-x", "c", "-", "-o", "/dev/null"]
    source = b"int LLVMFuzzerTestOneInput(const char *d, long n) { return d == 0 && n; }"
    done = subprocess.run(argv, input=source, capture_output=True)
    return None if done.returncode == 0 else "this clang has no libFuzzer"


def needs_libfuzzer() -> None:
    if reason := missing():
        pytest.skip(reason)


def generated(folder: Path) -> tuple[list[Path], list[str]]:
    """A project that answers MLPerf Tiny's commands: its sources but for the port, and their flags."""
    made = project.create(folder, dense(50, 4), board.load("host"), profile=MlperfTiny(sent="uint8"))
    sources = [folder / path for path in made.files if path.endswith(".c") and not path.startswith("port/")]
    includes = [f"-I{folder / name}" for name in ("app", "model", "port", "runtime/include")]
    return [*sources, small_app.FOLDER / "port.c"], [
        *("-DMW_MLPERF_TINY", "-D_POSIX_C_SOURCE=200809L", "-ffp-contract=off", *includes)
    ]


def build(target: str, folder: Path) -> Path:
    """A fuzz target in app/ with all that it needs."""
    mlperf = target == "mlperf"
    sources, flags = generated(folder / "project") if mlperf else (small_app.sources(), small_app.flags())
    harness = ["port", target] if target == "link" else ["port", "boot", target]
    objects = []

    def compiled(source: Path, *more: str) -> None:
        objects.append(folder / f"{source.stem}.o")
        argv = ["clang", *FLAGS, *flags, *more, "-c", source, "-o", objects[-1]]
        subprocess.run(argv, check=True)

    for source in sources:
        if target == "link" and source.stem not in ("mw_link", "port"):
            continue
        compiled(source, f"-fsanitize=fuzzer-no-link,{SANITIZERS}", NO_RECOVERY, "-Dmain=firmware_main")
        # What the harness clears.
        subprocess.run(["objcopy", "--rename-section", ".bss=mw_bss", objects[-1]], check=True)
    for name in harness:
        compiled(small_app.FOLDER / f"fuzz_{name}.c")
    program = folder / f"fuzz_{target}"
    wrap = ["-Wl,--wrap=mw_model_invoke"] if mlperf else []
    subprocess.run(["clang", f"-fsanitize=fuzzer,{SANITIZERS}", *wrap, *objects, "-o", program], check=True)
    return program


def open_ended(line: bytes) -> bytes:
    """A line whose checksums the target fills in."""
    line = re.sub(rb" #[0-9a-f]{8}\n", b" #\n", line)
    return re.sub(rb" crc=[0-9a-f]{8}", b" crc=*", line)


def seeds(folder: Path) -> Path:
    """Sessions as the host sends them, and damage."""
    folder.mkdir()
    run = [HELLO, *inference(1, DATA, reset=1)]
    timed = [HELLO, *inference(1, DATA, layers=1), record(5, "layer", index=1)]
    reads = [record(9 + i, "read", output=i, offset=0, bytes=6) for i in range(2)]
    rest = [record(11, "layer", index=1), record(12, "memory"), record(13, "clock"), record(14, "none")]
    walk = [
        record(5, "arena", offset=0, bytes=106),
        record(6, "advance", until=2),
        record(7, "arena", offset=90, bytes=16, data=1),
    ]
    # One byte too many each.
    beyond = [
        record(5, "arena", offset=90, bytes=17),
        record(6, "arena", offset=107, bytes=0),
        record(7, "arena", offset=91, bytes=16, data=1),
    ]
    reads_beyond = [record(5, "read", output=i, offset=size - 5, bytes=6) for i, size in enumerate(OUTPUTS)]
    writes_beyond = [
        record(1 + i, "write", input=i, offset=0, data=b64(bytes(size + 1))) for i, size in enumerate(INPUTS)
    ]
    sessions = [
        [HELLO],
        [*run, run[-1], *reads],
        timed,
        [HELLO, *rest],
        [*run[:-1], record(4, "run", crc="01234567")],
        [HELLO, *inference(1, DATA, until=1), *walk],
        [HELLO, *inference(1, DATA, until=1), *beyond],
        [*run, *reads_beyond],
        [HELLO, *writes_beyond, record(3, "layer", index=2)],
        [HELLO, record(1, "write", input=1, offset=0, data="AA==") + b"\n"],
        [record(0, "damaged"), record(1, "ok"), b"log\n", b"@" + HELLO],
        [
            b"name%profile%timestamp%help%db load 50%",
            *[b"db " + b"0a" * 25 + b"%"] * 2,
            b"infer 3 2%results%",
        ],
        [b"db load 50%db 00%db print 3 1%check%infer%", HELLO, b"x%infer 1 0%"],
    ]
    for number, session in enumerate(sessions):
        (folder / f"{number}").write_bytes(b"".join(map(open_ended, session)))
        (folder / f"{number}-whole").write_bytes(b"".join(session))
    return folder


def fuzz(program: Path, folder: Path, runs: int, seed: int = 1) -> str:
    """Run so many inputs; what libFuzzer says. Nothing may be found."""
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
    done = subprocess.run(
        [
            *(program, f"-runs={runs}", f"-seed={seed}", f"-dict={words}", f"-artifact_prefix={folder}/"),
            *("-max_len=500", "-print_final_stats=1", seeds(folder / "corpus")),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return done.stderr


def _escaped(word: str) -> str:
    return word.replace("\n", "\\x0A")


TARGETS = ["link", "main", "mlperf"]


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_does_harm(tmp_path: Path, target: str) -> None:
    needs_libfuzzer()
    fuzz(build(target, tmp_path), tmp_path, 20_000)


@pytest.mark.thorough
@pytest.mark.parametrize("target", TARGETS)
def test_ten_million_inputs_do_no_harm(tmp_path: Path, target: str) -> None:
    needs_libfuzzer()
    print(fuzz(build(target, tmp_path), tmp_path, 10_000_000)[-800:])
