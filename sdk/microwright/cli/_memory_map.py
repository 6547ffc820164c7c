"""The memory map of a plan: who lives where and when, and which layer needs most."""

from __future__ import annotations

from string import ascii_letters

from microwright.arena import SCRATCH
from microwright.cli._tables import layer_at
from microwright.plan import Plan
from microwright.report import short_name

_ROWS = 32
_ROW_BYTES = 16
_FREE, _SCRATCH = ".", "#"


def marks(planned: Plan) -> list[str]:
    """A character for each buffer: letters in the order of time, `#` for scratch."""
    tensors = [b for b in planned.buffers if b.what != SCRATCH]
    letters = {
        id(buffer): ascii_letters[position % len(ascii_letters)]
        for position, buffer in enumerate(sorted(tensors, key=lambda b: (b.first, b.last, b.offset)))
    }
    return [letters.get(id(buffer), _SCRATCH) for buffer in planned.buffers]


def chart(planned: Plan, columns: int) -> str:
    """Time across, a column a layer (or several, where there are more than `columns`); address down.

    A character stands for the newest buffer that has most of the bytes there; `.` for none.
    """
    times = range(-1, len(planned.calls) + 1)
    every = -(-len(times) // max(1, columns - 12))
    width = 3 if len(times) * 3 <= columns - 12 else 1
    shown = [max(times[i : i + every], key=planned.used_bytes) for i in range(0, len(times), every)]
    row_bytes = _ROW_BYTES * max(1, -(-planned.arena_bytes // (_ROW_BYTES * _ROWS)))
    by_buffer = list(zip(planned.buffers, marks(planned), strict=True))
    lines = []
    if width == 3:
        lines.append(f"{'layer':>10} " + "".join(f"{layer_at(planned, time):>3}" for time in shown))
    for start in range(0, planned.arena_bytes, row_bytes):
        cells = []
        for time in shown:
            # Of buffers that share bytes, the one that is being written comes last.
            live = sorted(
                (pair for pair in by_buffer if pair[0].first <= time <= pair[0].last),
                key=lambda pair: (pair[0].first, pair[0].last),
            )
            cell = _FREE
            for buffer, mark in live:
                shared = min(start + row_bytes, buffer.offset + buffer.size_bytes) - max(start, buffer.offset)
                if 2 * shared >= min(row_bytes, buffer.size_bytes):
                    cell = mark
            cells.append(cell.rjust(width))
        lines.append(f"{start:>10,} " + "".join(cells))
    return "\n".join(lines)


def summary(planned: Plan) -> str:
    """The peak and the layer that makes it."""
    call = planned.peak
    used = planned.used_bytes(call)
    split = " and ".join(f"{size:,} in {region}" for region, size in planned.parts.items())
    where = f" ({split})" if planned.split else ""
    text = f"arena {planned.arena_bytes:,} bytes{where}, of which {used:,} in use at the peak: "
    if not 0 <= call < len(planned.calls):
        return text + ("the inputs" if call < 0 else "the outputs")
    node = planned.graph.nodes[planned.calls[call].node]
    parts = ", ".join(
        f"{b.what if b.what == SCRATCH else short_name(b.what)} {b.size_bytes:,}" for b in planned.live(call)
    )
    return f"{text}layer {node.index} {node.op} ({parts})"
