"""The firmware's application in C with a small model, as a program of this computer under ASan and UBSan."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from microwright import _paths
from microwright.graph import Graph, Node, Tensor
from tests.support.native import FLAGS

FOLDER = Path(__file__).parent / "app"

# The model of app/mw_model.c.
CHUNK = 32
INPUTS = (5, 40)
OUTPUTS = (6, 100)


# A port whose serial line is standard input and output.
PIPE_PORT = (FOLDER / "port.c", FOLDER / "port_pipe.c")


def sources() -> list[Path]:
    """The application, the model and the port but for its serial line."""
    app = _paths.firmware_templates() / "_common" / "app"
    return [*sorted(app.glob("*.c")), FOLDER / "mw_model.c", FOLDER / "port.c"]


def flags() -> list[str]:
    """What the compiler needs to find everything."""
    common = _paths.firmware_templates() / "_common"
    includes = [FOLDER, common / "app", common / "port", _paths.runtime() / "include"]
    return [
        "-D_POSIX_C_SOURCE=200809L",
        f"-DMW_LINK_CHUNK={CHUNK}",
        *(f"-I{path}" for path in includes),
    ]


def compile_with(port: str, program: Path, *defines: str) -> Path:
    """Build the program with one of the serial lines in app/."""
    files = [*sources(), FOLDER / port]
    subprocess.run(["gcc", *FLAGS, *flags(), *defines, *map(str, files), "-o", program], check=True)
    return program


def compute(sample: Sequence[bytes], runs: int) -> list[bytes]:
    """The outputs of the model's run number `runs` since a reset."""
    first = bytes([sum(b"".join(sample)) % 256, runs % 256]) + bytes(4)
    return [first, (sample[1] * 3)[: OUTPUTS[1]]]


def image() -> Any:
    """What `measure` reads of an image of it."""
    shapes = [(size,) for size in (*INPUTS, *OUTPUTS)]
    tensors = tuple(Tensor(i, f"tensor {i}", "int8", shape, None, None) for i, shape in enumerate(shapes))
    nodes = tuple(Node(i, "ADD", "", (0, 1), (2, 3), {}) for i in range(2))
    graph = Graph("m", "0" * 64, tensors, nodes, (0, 1), (2, 3), b"")
    board = SimpleNamespace(linux=None, serial=SimpleNamespace(baud=115_200))
    return SimpleNamespace(
        build_id="009fff", project=SimpleNamespace(graph=graph, board=board), elf=Path("not there.elf")
    )


class FramedDevice:
    """The program with port_frames.c: give it bytes, get the bytes that it says to them."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self.restarts = -1
        self.said = self.reset()

    def reset(self) -> bytes:
        """Start it anew, as after a power failure; what it says at boot."""
        if self.restarts >= 0:
            self._process.kill()
            self.close(exit_code=-signal.SIGKILL)
        self.restarts += 1
        self._process = subprocess.Popen(
            [self._program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        return self._answer()

    def receive(self, data: bytes) -> bytes:
        """What it says to some bytes."""
        assert self._process.stdin is not None
        if not data:
            return b""
        self._process.stdin.write(len(data).to_bytes(4, "little") + data)
        return self._answer()

    def _answer(self) -> bytes:
        return self._read(int.from_bytes(self._read(4), "little"))

    def _read(self, count: int) -> bytes:
        assert self._process.stdout is not None
        data = b""
        while len(data) < count:
            more = self._process.stdout.read(count - len(data))
            assert more, "the application ended: what the sanitizers say is on stderr"
            data += more
        return data

    def close(self, exit_code: int = 0) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(10) == exit_code
        self._process.stdout.close()
