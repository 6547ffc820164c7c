"""What `inspect` prints of a model's zeros: what they gain, and what would gain more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich import box
from rich.console import Group
from rich.table import Table

from microwright.verdict import Hindrance, Layer, Pattern, Verdict

_METHODS: Mapping[Pattern, str] = {
    "channels": "channel",
    "blocks": "block",
    "scattered": "unstructured",
}
_HINDRANCES: Mapping[Hindrance, str] = {
    "depthwise": "nothing: in a depthwise layer only whole channels pay",
    "grouped": "nothing: in a grouped convolution only whole channels pay",
    "core": "zeros that are no channels gain nothing: the core has no kernels that skip them",
}


def tables(verdict: Verdict) -> Group:
    """All of it; of a model that was not pruned one line."""
    if not verdict.notable:
        return Group(
            f"zeros: at most {verdict.sparsity:.0%} of a layer's weights, too few for kernels to skip"
        )
    return Group(_layers(verdict), _more(verdict), _totals(verdict))


def _layers(verdict: Verdict) -> Table:
    """The layers with weights: their zeros, what they take, and what that is of what they would without."""
    made = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    zeros_in = ("zeros:\nchannels", "\nblocks", "\nelse")
    for header in (
        "\nlayer",
        "channels\nleft",
        *zeros_in,
        "~instruc-\ntions",
        "\ngain",
        "\nbytes",
        "of\ndense",
    ):
        made.add_column(header, justify="right", no_wrap=True)
    made.add_column("\nkernel", overflow="fold")
    for layer in verdict.layers:
        zeros = layer.zeros
        before, after = layer.channels
        made.add_row(
            str(layer.index),
            f"{after}" if after == before else f"{after}/{before}",
            _percent(zeros.channels),
            _percent(zeros.blocks),
            _percent(zeros.scattered),
            f"{layer.now.instructions:,.0f}",
            _gain(layer.gain),
            f"{layer.now.constant_bytes:,}",
            f"{layer.now.constant_bytes / max(layer.dense.constant_bytes, 1):.0%}",
            ", ".join(layer.now.kernels) or "none: the layer went",
        )
    return made


def _totals(verdict: Verdict) -> Table:
    """The model with its zeros hidden from the compiler, and as it is."""
    made = Table(box=box.SIMPLE, pad_edge=False)
    made.add_column("whole model")
    for header in ("constant bytes", "MACs", "~instructions", "~ms"):
        made.add_column(header, justify="right", no_wrap=True)
    for name, total in (("without zeros", verdict.before), ("as it is", verdict.after)):
        made.add_row(
            name,
            f"{total.constant_bytes:,}",
            f"{total.macs:,}",
            f"{total.instructions:,.0f}",
            "" if total.time is None else f"{total.time.ms:,.2f}",
        )
    before, after = verdict.before, verdict.after
    pairs = (
        (before.constant_bytes, after.constant_bytes),
        (before.macs, after.macs),
        (before.instructions, after.instructions),
    )
    made.add_section()
    made.add_row("smaller by", *(f"{b / max(a, 1):.2f}x" for b, a in pairs), "")
    return made


def _more(verdict: Verdict) -> Table:
    """What would gain more, by layer; layers of the same advice in one row."""
    by_text: dict[str, list[int]] = {}
    for layer in verdict.layers:
        text = "; ".join(_advice(layer))
        if text:
            by_text.setdefault(text, []).append(layer.index)
    made = Table.grid(padding=(0, 1))
    if by_text:
        made.add_row("to gain more", "how many times fewer instructions than without zeros")
    for text, layers in by_text.items():
        made.add_row(f"layer {', '.join(map(str, layers))}:", text)
    return made


def _advice(layer: Layer) -> Iterator[str]:
    lying: Mapping[Pattern, str] = {
        "channels": "as channels",
        "blocks": f"in {_shape(layer)}",
        "scattered": "as single ones",
    }
    for other in layer.alternatives:
        yield f"{lying[other.pattern]} {_gain(other.gain)} (--method {_METHODS[other.pattern]})"
    if layer.hindrance is not None:
        yield _HINDRANCES[layer.hindrance]
    elif not layer.skips and layer.pays_from:
        pay = (f"{lying[pattern]} from {share:.0%}" for pattern, share in layer.pays_from.items())
        yield f"zeros pay {', '.join(pay)}"


def _shape(layer: Layer) -> str:
    return "" if layer.block is None else f"{layer.block[0]}x{layer.block[1]} blocks"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share else ""


def _gain(gain: float | None) -> str:
    return "" if gain is None else f"{gain:.2f}x"
