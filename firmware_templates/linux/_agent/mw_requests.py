"""The requests of docs/protocol.md of Microwright, its section "Agents" included, and their answers."""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

PROTOCOL = 1
CHUNK_BYTES = 1536
LONGEST_LINE = (CHUNK_BYTES + 2) // 3 * 4 + 64
MOST_RUNS = 65536
MOST_SECONDS = 10

_RECORD = re.compile(rb'@([1-9][0-9]{0,4}|0) ([a-z]+)((?: [a-z_0-9]+=[!-"$-?A-~]*)*) #([0-9a-f]{8})')


class Refusal(Exception):
    """A request that is answered with an error; its argument is the code."""


def record(seq: int, verb: str, args: Mapping[str, int | str]) -> bytes:
    """The line of a record."""
    body = " ".join([f"@{seq}", verb, *(f"{key}={value}" for key, value in args.items()), ""]).encode("ascii")
    return body + b"#%08x\n" % zlib.crc32(body)


class Agent:
    """Answers requests. `model` is a Model; `facts` gives what `facts` tells, `says` adds to `hello`."""

    def __init__(
        self, model: Any, says: Mapping[str, int | str], facts: Callable[[], dict[str, Any]]
    ) -> None:
        self._model, self._says, self._facts = model, says, facts
        self._inputs = [b""] * len(model.inputs)
        self._outputs = [b""] * len(model.outputs)
        self._line = b""
        self._greeted = False
        self._last_seq = 0
        self._remembered: tuple[int, bytes] = (0, b"")  # a request that is not done twice, and its answer
        self._runs = self._steps = 0
        self._snapshot = self._samples = b""
        self._verbs = {
            "hello": self._hello,
            "write": self._write,
            "run": self._run,
            "layer": self._layer,
            "read": self._read,
            "memory": self._memory,
            "clock": self._clock,
            "facts": self._tell,
            "burst": self._burst,
            "samples": self._times,
        }

    def receive(self, data: bytes) -> Iterator[bytes]:
        """The answers to some bytes of the line."""
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            if line:
                yield from self._answer(line[max(line.rfind(b"@"), 0) :])
        # A record begins at the last '@'; what is too long is none, whatever follows.
        self._line = self._line[max(self._line.rfind(b"@"), 0) :][: LONGEST_LINE + 1]

    def _answer(self, line: bytes) -> Iterator[bytes]:
        match = _RECORD.fullmatch(line) if len(line) <= LONGEST_LINE else None
        if not match or zlib.crc32(line[:-9]) != int(match[4], 16):
            yield record(0, "damaged", {})
            return
        seq, verb = int(match[1]), match[2].decode("ascii")
        args = dict(word.split("=", 1) for word in match[3].decode("ascii").split())
        # An answer of ours, echoed; a number that is none is nobody's.
        if not 0 < seq <= 65535 or verb in ("ok", "error"):
            return
        repeated, self._last_seq = seq == self._last_seq, seq
        self._greeted = self._greeted or verb == "hello"
        if repeated and self._remembered[0] == seq and self._greeted:
            yield self._remembered[1]
            return
        try:
            if not self._greeted:
                raise Refusal("hello")
            if verb not in self._verbs:
                raise Refusal("verb")
            answer = record(seq, "ok", self._verbs[verb](args))
        except Refusal as refusal:
            answer = record(seq, "error", {"code": str(refusal)})
        if verb in ("run", "burst") or (verb == "facts" and not args):
            self._remembered = (seq, answer)
        yield answer

    def _hello(self, args: Mapping[str, str]) -> dict[str, int | str]:
        return {
            "proto": PROTOCOL,
            **self._says,
            "chunk": CHUNK_BYTES,
            "timer_hz": 10**9,
            "cpu_hz": 0,
            "counter": "clock",
            "overhead": 0,
            "inputs": ",".join(map(str, self._model.inputs)),
            "outputs": ",".join(map(str, self._model.outputs)),
            "layers": 0,
            "arena": 0,
        }

    def _write(self, args: Mapping[str, str]) -> dict[str, int | str]:
        index = _argument(args, "input", len(self._inputs) - 1)
        offset = _argument(args, "offset", 2**32 - 1)
        if offset > len(self._inputs[index]):
            raise Refusal("order")
        self._inputs[index] = self._inputs[index][:offset]
        try:
            data = base64.b64decode(args["data"], validate=True)
        except (KeyError, binascii.Error, ValueError):
            raise Refusal("argument") from None
        if offset + len(data) > self._model.inputs[index]:
            raise Refusal("argument")
        self._inputs[index] += data
        return {}

    def _whole_inputs(self) -> None:
        if [len(data) for data in self._inputs] != self._model.inputs:
            raise Refusal("incomplete")

    def _infer(self, reset: bool) -> int:
        if reset:
            self._model.reset()
            self._steps = 0
        self._steps += 1
        self._runs += 1
        try:
            return int(self._model.run(self._inputs))
        except (ValueError, RuntimeError) as error:
            print(f"the model failed: {error}", file=sys.stderr, flush=True)
            raise Refusal("model") from None

    def _finish(self) -> str:
        """Keep the outputs; their checksum."""
        self._outputs = [self._model.output(index) for index in range(len(self._outputs))]
        return f"{zlib.crc32(b''.join(self._outputs)):08x}"

    def _run(self, args: Mapping[str, str]) -> dict[str, int | str]:
        reset = _argument(args, "reset", 1, 0)
        if re.fullmatch(r"[0-9a-f]{8}", args.get("crc", "")) is None or _argument(args, "layers", 1, 0):
            raise Refusal("argument")
        if "until" in args:
            raise Refusal("model")
        self._whole_inputs()
        if args["crc"] != f"{zlib.crc32(b''.join(self._inputs)):08x}":
            raise Refusal("crc")
        ticks = self._infer(reset == 1)
        self._inputs = [b""] * len(self._inputs)
        return {"ticks": ticks, "stack": 0, "crc": self._finish(), "step": self._steps}

    def _layer(self, args: Mapping[str, str]) -> dict[str, int | str]:
        raise Refusal("argument")  # there are none

    def _read(self, args: Mapping[str, str]) -> dict[str, int | str]:
        return _piece(args, self._outputs[_argument(args, "output", len(self._outputs) - 1)])

    def _memory(self, args: Mapping[str, str]) -> dict[str, int | str]:
        return {"stack_peak": 0, "arena_peak": 0}

    def _clock(self, args: Mapping[str, str]) -> dict[str, int | str]:
        return {"ticks": time.monotonic_ns(), "runs": self._runs}

    def _tell(self, args: Mapping[str, str]) -> dict[str, int | str]:
        if args:
            return _piece(args, self._snapshot)
        known = {key: value for key, value in self._facts().items() if value is not None}
        self._snapshot = json.dumps(known).encode()
        return {"size": len(self._snapshot), "crc": f"{zlib.crc32(self._snapshot):08x}"}

    def _burst(self, args: Mapping[str, str]) -> dict[str, int | str]:
        runs, seconds = _argument(args, "runs", MOST_RUNS), _argument(args, "seconds", MOST_SECONDS)
        if not runs or not seconds:
            raise Refusal("argument")
        self._whole_inputs()
        times: list[int] = []
        until = time.monotonic() + seconds
        while not times or (len(times) < runs and time.monotonic() < until):
            times.append(self._infer(True))
        self._samples = struct.pack(f"<{len(times)}Q", *times)
        return {"runs": len(times), "crc": self._finish()}

    def _times(self, args: Mapping[str, str]) -> dict[str, int | str]:
        return _piece(args, self._samples)


def _argument(args: Mapping[str, str], key: str, most: int, default: int | None = None) -> int:
    text = args.get(key)
    if text is None and default is not None:
        return default
    if text is None or re.fullmatch(r"[0-9]{1,10}", text) is None or int(text) > most:
        raise Refusal("argument")
    return int(text)


def _piece(args: Mapping[str, str], data: bytes) -> dict[str, int | str]:
    if not data:
        raise Refusal("incomplete")
    offset = _argument(args, "offset", len(data))
    size = _argument(args, "bytes", min(CHUNK_BYTES, len(data) - offset))
    return {"data": base64.b64encode(data[offset : offset + size]).decode("ascii")}
