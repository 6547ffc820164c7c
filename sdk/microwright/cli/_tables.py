"""What commands print: tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from microwright import ops
from microwright.board import TESTED, Board
from microwright.comparison import Comparison
from microwright.diverge import Divergence
from microwright.doctor import Finding
from microwright.family import Family
from microwright.footprint import Footprint, Symbol
from microwright.graph import Graph, Node
from microwright.link.ports import PortInfo
from microwright.load import Model
from microwright.noise import LayerNoise
from microwright.passes import Rewritten
from microwright.plan import Plan
from microwright.report import of_outputs, short_name
from microwright.terminal import FLASH, RAM, heap, share
from microwright.verify import Agreement
from microwright.walk import Difference

if TYPE_CHECKING:
    from microwright.compress import Compressed


def new_table(*columns: str) -> Table:
    """A table whose columns that start with `>` hold numbers."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        number = column.startswith(">")
        table.add_column(
            column.lstrip(">"), justify="right" if number else "left", overflow="ellipsis", no_wrap=number
        )
    return table


def layers(graph: Graph) -> Table:
    """A graph's nodes: output shape, MACs, bytes of constants; their sums at the end."""
    table = new_table(">layer", ">MACs", ">weight bytes", "op", "output", "name")
    for position, node in enumerate(graph.nodes):
        table.add_row(
            str(position),
            _macs(graph, node),
            f"{graph.constant_bytes(node):,}",
            node.op,
            ", ".join(_type(graph, i) for i in node.outputs),
            short_name(node.name),
        )
    table.add_section()
    table.add_row("", f"{ops.macs(graph):,}", f"{graph.weights_bytes:,}", "all", "", "")
    return table


def ends(graph: Graph) -> Table:
    """A graph's inputs and outputs, and where its ranges came from."""
    table = new_table("", "type", "name")
    for what, indices, names in (
        ("input", graph.inputs, graph.input_names),
        ("output", graph.outputs, graph.output_names),
    ):
        for index, name in zip(indices, names, strict=True):
            table.add_row(what, _type(graph, index), short_name(name))
    table.add_row("ranges", "", graph.ranges or "unknown")
    return table


def _macs(graph: Graph, node: Node) -> str:
    op = ops.OPS.get(node.op)
    return "no kernel" if op is None else f"{op.macs(graph, node):,}"


def _type(graph: Graph, index: int) -> str:
    tensor = graph.tensors[index]
    return f"{tensor.dtype} {'x'.join(str(size) for size in tensor.shape)}"


def keras_layers(model: Model) -> Table:
    """A Keras model's layers: class, output shape, parameters."""
    table = new_table("layer", "class", "output", ">parameters")
    network = model.keras
    for layer in getattr(network, "layers", ()):
        output = getattr(layer, "output", None)
        shape = "" if output is None else "x".join(str(size) for size in getattr(output, "shape", ())[1:])
        table.add_row(layer.name[:40], type(layer).__name__, shape, f"{layer.count_params():,}")
    if network is not None:
        table.add_section()
        table.add_row("", "", "", f"{network.count_params():,}")
    return table


def passes(rewritten: Rewritten) -> Table:
    """What each graph pass removed, and what is left."""
    table = new_table("pass", ">nodes", ">channels", ">MACs", ">weight bytes")
    for applied in rewritten.applied:
        before, after = applied.before, applied.after
        removed = (
            len(before.nodes) - len(after.nodes),
            applied.channels,
            ops.macs(before) - ops.macs(after),
            before.weights_bytes - after.weights_bytes,
        )
        table.add_row(applied.name, *(f"{-count:,}" if count else "" for count in removed))
    graph = rewritten.graph
    table.add_section()
    table.add_row("left", f"{len(graph.nodes)}", "", f"{ops.macs(graph):,}", f"{graph.weights_bytes:,}")
    return table


def kernels(planned: Plan) -> Table:
    """The kernel that each layer gets, its estimated instructions, and why no faster one."""
    table = new_table(">layer", "kernel", ">~instructions", ">scratch bytes", "name", "not taken")
    for number, call in enumerate(planned.calls):
        table.add_row(
            layer_at(planned, number),
            call.step.kernel,
            f"{call.instructions:,.0f}",
            f"{call.step.scratch_bytes:,}" if call.step.scratch_bytes else "",
            short_name(planned.graph.nodes[call.node].name),
            "; ".join(f"{name}: {reason}" for name, reason in call.rejected.items()),
        )
    table.add_section()
    table.add_row(
        "", "", f"{sum(call.instructions for call in planned.calls):,.0f}", "", "all, estimated", ""
    )
    return table


def buffers(planned: Plan, marks: Sequence[str]) -> Table:
    """The arena's buffers with their marks on the map: where, how large, from layer to layer."""
    table = new_table("", ">offset", ">bytes", ">from", ">to", "what")
    for mark, buffer in zip(marks, planned.buffers, strict=True):
        table.add_row(
            mark,
            f"{buffer.offset:,}",
            f"{buffer.size_bytes:,}",
            layer_at(planned, buffer.first),
            layer_at(planned, buffer.last),
            short_name(buffer.what),
        )
    table.add_section()
    table.add_row("", "", f"{planned.arena_bytes:,}", "", "", "arena")
    return table


def layer_at(planned: Plan, call: int) -> str:
    """A call's layer in the model as it was given, `in` before the first call, `out` after the last."""
    if call < 0:
        return "in"
    if call >= len(planned.calls):
        return "out"
    return str(planned.graph.nodes[planned.calls[call].node].index)


def agreement(result: Agreement) -> str:
    """One line."""
    verdict = f"{result.mismatched_bytes:,} bytes differ" if result.mismatched_bytes else "all equal"
    if result.mismatched_bytes and result.tolerance is not None:
        verdict += f", all within {result.tolerance:g} of the largest output"
    compared = f"{result.compared_bytes:,} bytes of {result.inputs} inputs against {result.reference}"
    return f"{compared}: {verdict}{of_outputs(result)}"


def comparison(result: Comparison, names: tuple[str, str]) -> Table:
    """How far two models of these names agree."""
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    same = result.same_class / result.samples
    table.add_row("same class", f"{same:.2%}", f"{result.same_class:,} of {result.samples:,} samples")
    for output in result.outputs:
        what = f"of {short_name(output.name)!r}, in real values"
        table.add_row("largest difference", f"{output.max_difference:.6g}", what)
        table.add_row("mean difference", f"{output.mean_difference:.6g}", "")
    if result.accuracy is not None and result.other_accuracy is not None:
        points = 100 * (result.other_accuracy - result.accuracy)
        table.add_row(f"accuracy, {names[0]}", f"{result.accuracy:.2%}", "")
        table.add_row(f"accuracy, {names[1]}", f"{result.other_accuracy:.2%}", f"{points:+.2f} points")
    return table


def classes(result: Comparison, names: tuple[str, str]) -> Table:
    """The accuracy of both models, class by class, and the difference in percentage points."""
    table = new_table(">class", "name", ">samples", *(f">{name}" for name in names), ">difference")
    for score in result.classes:
        points = 100 * (score.other_correct - score.correct) / score.samples
        table.add_row(
            str(score.index),
            score.name[:40],
            f"{score.samples:,}",
            f"{score.correct / score.samples:.2%}",
            f"{score.other_correct / score.samples:.2%}",
            f"{points:+.2f}" if points else "",
        )
    return table


def noise(found: Sequence[LayerNoise]) -> Table:
    """The signal-to-quantisation-noise ratio of each layer's output, and what the layer alone would have."""
    table = new_table(">layer", ">SQNR dB", ">own dB", ">cut off", ">peak", "op", "name")
    for layer in found:
        table.add_row(
            str(layer.index),
            "" if layer.sqnr_db is None else f"{layer.sqnr_db:.1f}",
            "" if layer.own_db is None else f"{layer.own_db:.1f}",
            f"{layer.clipped:.2%}" if layer.clipped else "",
            f"{layer.peak:.1f}",
            layer.op,
            short_name(layer.name),
        )
    return table


def divergence(found: Divergence, *, every: bool) -> Iterator[Table | str]:
    """What was compared; the layer that differs first, or every one; the elements that differ in it."""
    agreed = "all equal" if found.outputs_equal else f"those of input {found.input} differ"
    yield f"{found.model} on {found.board}: outputs of {found.inputs} inputs, {agreed}"
    layers = found.layers if every else [layer for layer in found.layers if layer is found.first]
    if found.first is None:
        tensors = f"{sum(layer.tensors for layer in found.layers)} tensors in {len(found.layers)} layers"
        yield f"input {found.input}, layer by layer: {tensors}, all equal"
    if found.agreement is not None:
        yield f"this computer: {agreement(found.agreement)}"
    if layers:
        table = new_table(">layer", "op", "output", "kernels", "inputs", "differs", "name")
        for layer in layers:
            table.add_row(
                "in" if layer.index < 0 else str(layer.index),
                layer.op,
                "x".join(map(str, layer.shape)),
                ", ".join(layer.kernels),
                "equal" if layer.inputs_equal else "differ",
                "; ".join(map(_differs, layer.differences)),
                short_name(layer.name),
            )
        yield table
    for each in found.first.differences if found.first is not None else ():
        yield _elements(each)


def _differs(difference: Difference) -> str:
    what = f"its {difference.role}"
    if difference.role == "overwritten":
        what = f"{short_name(difference.tensor)}, overwritten"
    return f"{difference.differing_bytes:,} of {difference.size_bytes:,} bytes of {what}"


def _elements(difference: Difference) -> Table:
    """The first elements of a tensor that differ."""
    table = new_table("element", ">device", ">this computer", ">device, real", ">this computer, real")
    table.title = (
        f"{difference.dtype} {short_name(difference.tensor)}: {difference.differing_elements:,} differ"
    )
    for element in difference.first:
        values = (element.device, element.host, element.device_real, element.host_real)
        table.add_row(
            f"[{', '.join(map(str, element.index))}]",
            *("" if v is None else f"{v:.7g}" if isinstance(v, float) else str(v) for v in values),
        )
    return table


def compression(result: Compressed) -> Table:
    """What each step of a compression left; instructions are estimated."""
    table = new_table(
        "step",
        ">parameters",
        ">flash bytes",
        ">MACs",
        ">~instructions",
        ">of them",
        ">validation loss",
        ">accuracy",
    )
    for step in result.steps:
        table.add_row(
            step.what,
            f"{step.parameters:,}",
            f"{step.cost.flash_bytes:,}",
            f"{step.cost.macs:,}",
            f"{step.cost.instructions:,.0f}",
            f"{step.cost.instructions / max(result.steps[0].cost.instructions, 1):.1%}",
            "" if step.loss is None else f"{step.loss:.4g}",
            "" if step.accuracy is None else f"{step.accuracy:.2%}",
        )
    return table


def boards(known: Sequence[Board]) -> Table:
    """Boards: what they are and what runs them."""
    table = new_table("id", "name", "core", ">MHz", ">flash KiB", ">RAM KiB", "tested", "runners")
    for board in known:
        table.add_row(
            board.id,
            board.name,
            board.cpu.core,
            f"{board.cpu.clock_hz / 1e6:g}" if board.cpu.clock_hz else "",
            f"{board.flash.bytes / 1024:,.0f}" if board.flash else "",
            f"{board.ram.bytes / 1024:,.0f}" if board.ram else "",
            board.tested,
            ", ".join(board.runners),
        )
    return table


def board(known: Board, found: Family) -> Table:
    """All that is known of a board."""
    table = new_table("what", "value", "about")
    fpu = f", {known.cpu.fpu}" if known.cpu.fpu else ""
    table.add_row("board", known.id, known.name)
    table.add_row("url", known.url, "")
    table.add_row("file", "" if known.folder is None else str(known.folder / f"{known.id}.toml"), "")
    table.add_row("tested", known.tested, TESTED[known.tested])
    table.add_row("template", known.template, "")
    table.add_row("core", known.cpu.core + fpu, " ".join(known.compile_flags))
    if known.linux is not None:
        table.add_row(
            "systems", ", ".join(known.linux.archs), f"Linux; its serial line is {known.linux.serial}"
        )
        table.add_row("clock", f"{known.cpu.clock_hz / 1e6:g} MHz", "the highest; the governor sets it")
    elif known.cpu.clock_hz:
        reset = f"{known.cpu.reset_hz / 1e6:g} MHz after a reset, or where no oscillator starts"
        table.add_row("clock", f"{known.cpu.clock_hz / 1e6:g} MHz", reset)
    for name, region in known.regions.items():
        table.add_row(name, f"{region.bytes:,} bytes", f"at {region.origin:#010x}")
    if known.placement.arena:
        table.add_row(
            "arena", ", ".join(known.placement.arena), "the first that holds it whole, else two of them"
        )
        table.add_row("code", known.placement.code or "flash", "where the model's code runs")
    for name, setting in found.settings.items():
        value = known.chip[name]
        table.add_row(
            f"chip.{name}", str(bool(value)).lower() if setting.flag else f"{value:,}", setting.about
        )
    if known.uart is not None:
        pins = ", ".join(
            f"{what} {pin.name}" for what, pin in (("TX", known.uart.tx), ("RX", known.uart.rx)) if pin
        )
        table.add_row("uart", f"{known.uart.driver} at {known.uart.base:#010x}", pins)
    table.add_row(
        "serial",
        f"{known.serial.baud:,} baud",
        "USB " + ", ".join(known.serial.usb_ids) if known.serial.usb_ids else "",
    )
    for name, settings in known.runners.items():
        table.add_row("runner", name, ", ".join(f"{key} {value}" for key, value in settings.items()))
    return table


def ports(there: Sequence[tuple[PortInfo, Sequence[str]]]) -> Table:
    """Serial ports, and the boards that they could be."""
    table = new_table("port", "description", "USB id", "serial number", "boards")
    for port, boards in there:
        table.add_row(
            port.device, port.description, port.usb_id or "", port.serial_number or "", ", ".join(boards)
        )
    return table


def findings(found: Sequence[Finding]) -> Table:
    """What is installed, and for what is not, the command that installs it."""
    table = new_table("what", "version", "needed", "for, or how to install")
    for finding in found:
        table.add_row(
            finding.name,
            finding.version or "MISSING",
            "yes" if finding.required else "for some",
            finding.purpose if finding.found else f"{finding.problem}: {finding.install}",
        )
    return table


def footprint(found: Footprint, board: Board, empty: Footprint | None) -> Table:
    """Flash and RAM by kind, each beside what the model adds over the application without one, if known."""
    table = new_table("memory", ">bytes", *((">by the model",) if empty else ()), "")
    memories = (
        (
            "flash",
            FLASH,
            found.flash,
            empty.flash if empty else None,
            board.flash.bytes if board.flash else None,
        ),
        ("RAM", RAM, found.ram, empty.ram if empty else None, found.ram_limit_bytes),
    )
    for name, kinds, taken, without, limit in memories:
        total = sum(taken.values())
        over = () if without is None else (f"{total - sum(without.values()):+,}",)
        table.add_row(name, f"{total:,}", *over, share(total, limit))
        for kind, what in kinds.items():
            if kind in taken or (without is not None and kind in without):
                count = taken.get(kind, 0)
                over = () if without is None else (f"{count - without.get(kind, 0):+,}",)
                table.add_row(f"  {kind.replace('_', ' ')}", f"{count:,}", *over, what)
    state, why = heap(found)
    table.add_row("heap", state, *(("",) if empty else ()), why)
    return table


def regions(found: Footprint) -> Table:
    """How full each memory region of the chip is, gaps of alignment included."""
    table = new_table("region", ">bytes used", ">left", "")
    for region in found.regions:
        left = region.bytes - region.used_bytes
        table.add_row(
            region.name, f"{region.used_bytes:,}", f"{left:,}", share(region.used_bytes, region.bytes)
        )
    return table


def symbols(found: Sequence[Symbol]) -> Table:
    """Functions and variables."""
    table = new_table(">bytes", "symbol", "section", "of")
    for symbol in found:
        table.add_row(f"{symbol.bytes:,}", symbol.name, symbol.section, symbol.origin)
    return table
