"""Projects whose board runs the model in LiteRT: an agent in Python and the packages that it needs.

Nothing of them is compiled: what the board gets is the agent, the model, and scripts that install both.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from microwright import _paths, _template
from microwright.board import Board
from microwright.errors import InputError
from microwright.graph import Graph

ENGINE = "litert"
MOST_THREADS = 64

# Shell patterns of `PYTHON BITS`, and the packages that have wheels for them. TensorFlow Lite of its old name
# was built against NumPy 1.
WHEELS: tuple[tuple[str, str], ...] = (
    ('"3.1"[0-3]" 64"', "ai-edge-litert==2.1.0 numpy==2.2.6"),
    ('"3.14 64"', "ai-edge-litert==2.1.0 numpy==2.3.4"),
    ('"3.9 64" | "3.9 32" | "3.11 32"', "tflite-runtime==2.14.0 numpy==1.26.4"),
)


@dataclass(frozen=True)
class LiteRt:
    """How the interpreter runs the model: threads, and whether XNNPACK's kernels take part."""

    threads: int = 1
    xnnpack: bool = True


def files(model: Graph, board: Board, litert: LiteRt, version: str) -> dict[str, bytes]:
    """The files of a project but its manifest, by path. Raises InputError for a board without Linux."""
    if board.linux is None:
        raise InputError(f"board {board.id} has no Linux, which LiteRT needs", "leave --runtime out")
    if not 1 <= litert.threads <= MOST_THREADS:
        raise InputError(f"{litert.threads} threads are none of 1 to {MOST_THREADS}", "correct --threads")
    templates = _paths.firmware_templates()
    context = {
        "engine": ENGINE,
        "board": board,
        "model_name": "".join(c if c.isprintable() else " " for c in model.name)[:80],
        "microwright_version": version,
        "wheels": WHEELS,
        "options": f" --threads {litert.threads} --xnnpack {'on' if litert.xnnpack else 'off'}",
    }
    made = {
        f"device/{source.stem}": _template.render(source, context)
        for source in sorted((templates / board.template / "device").glob("*.j2"))
    }
    for source in _agent():
        made[f"device/agent/{source.name}"] = source.read_bytes()
    made["model/model.tflite"] = model.flatbuffer
    made["board.toml"] = board.text.encode()
    return made


def build_id(model: bytes) -> str:
    """What the agent says that it is, with a model (docs/protocol.md)."""
    content = b"".join(source.read_bytes() for source in _agent())
    return hashlib.sha256(content + model).hexdigest()[:40]


def _agent() -> list[Path]:
    return sorted((_paths.firmware_templates() / "linux" / "_agent").glob("*.py"))
