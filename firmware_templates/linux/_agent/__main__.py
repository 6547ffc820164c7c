"""Microwright's agent in Python: runs a .tflite with LiteRT and answers requests on one line at a time.

    python3 FOLDER --model model.tflite --board rpi4 --listen 127.0.0.1:0

It needs numpy, and ai-edge-litert or tflite-runtime, on Python 3.9 or newer. Exit codes: 0 the line ended, 1
an error (which is told on standard error), 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import mw_line
from mw_machine import Machine, machine_facts, process_facts
from mw_model import Failed, Model
from mw_requests import Agent

MOST_THREADS = 64


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run a .tflite and answer Microwright's requests.")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--board", required=True, help="board id, told to the host")
    parser.add_argument("--threads", type=int, default=1, choices=range(1, MOST_THREADS + 1), metavar="N")
    parser.add_argument("--xnnpack", choices=("on", "off"), default="on")
    parser.add_argument("--cpus", help="CPUs to run on: 0,1 (default: all)")
    line = parser.add_mutually_exclusive_group(required=True)
    line.add_argument("--stdio", action="store_true")
    line.add_argument("--listen", metavar="HOST:PORT", help="TCP; with port 0 any that is free")
    line.add_argument("--serial", type=Path, metavar="DEVICE")
    line.add_argument("--socket", type=Path, metavar="PATH", help="Unix socket")
    parser.add_argument("--baud", type=int, default=115_200)
    return parser.parse_args(words)


def agent_of(options: argparse.Namespace) -> Agent:
    """The agent that options ask for."""
    if options.cpus:
        try:
            os.sched_setaffinity(0, {int(cpu) for cpu in options.cpus.split(",")})
        except (OSError, ValueError) as error:
            raise Failed(f"cannot run on the CPUs {options.cpus}: {error}") from error
    machine = Machine()
    model = Model(options.model, options.threads, options.xnnpack == "on", machine)
    files = (path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    says = {
        "board": re.sub(r"[^!-~]|[#@]", "-", options.board),
        "engine": "litert",
        "model": hashlib.sha256(model.data).hexdigest()[:16],
        "build": hashlib.sha256(b"".join(files) + model.data).hexdigest()[:40],
    }
    return Agent(model, says, lambda: {**machine_facts(machine), **process_facts(machine), **model.facts})


def main(words: Sequence[str] | None = None) -> int:
    """Serve; the exit code."""
    options = _arguments(words)
    # What libraries write to standard output is no part of the line.
    output = os.dup(1)
    os.dup2(2, 1)
    try:
        agent = agent_of(options)
        if options.stdio:
            mw_line.serve_stream(agent, 0, output)
        elif options.serial:
            line = mw_line.serial(options.serial, options.baud)
            mw_line.serve_stream(agent, line, line)
        else:
            os.dup2(output, 1)
            mw_line.serve_sockets(
                agent, mw_line.tcp(options.listen) if options.listen else mw_line.unix(options.socket)
            )
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: the line ended: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
