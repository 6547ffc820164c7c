"""What commands print with --json: facts of a board, of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import click

from microwright import ops, verdict
from microwright.board import Board
from microwright.coverage import Caution
from microwright.family import Family
from microwright.graph import Graph, Node
from microwright.load import Model
from microwright.passes import Rewritten
from microwright.plan import Plan
from microwright.verdict import Verdict


def show(facts: Mapping[str, object] | Sequence[object]) -> None:
    """Print JSON."""
    click.echo(json.dumps(facts, indent=2))


def board(known: Board) -> Mapping[str, object]:
    """None where there is no such limit, as an operating system has the memory."""
    return {
        "id": known.id,
        "name": known.name,
        "url": known.url,
        "core": known.cpu.core,
        "fpu": known.cpu.fpu,
        "clock_hz": known.cpu.clock_hz or None,
        "flash_bytes": known.flash.bytes if known.flash else None,
        "ram_bytes": known.ram.bytes if known.ram else None,
        "tested": known.tested,
        "runners": list(known.runners),
    }


def whole_board(known: Board, found: Family) -> Mapping[str, object]:
    """All that is known of a board."""
    uart = known.uart
    return {
        **board(known),
        "file": None if known.folder is None else str(known.folder / f"{known.id}.toml"),
        "template": known.template,
        "reset_hz": known.cpu.reset_hz or None,
        "memory": {name: asdict(region) for name, region in known.regions.items()},
        "arena_regions": list(known.placement.arena),
        "code_region": known.placement.code,
        "chip": {
            name: {"value": known.chip[name], "about": setting.about}
            for name, setting in found.settings.items()
        },
        "uart": None
        if uart is None
        else {
            "driver": uart.driver,
            "base": uart.base,
            "tx": uart.tx.name if uart.tx else None,
            "rx": uart.rx.name if uart.rx else None,
        },
        "linux": None if known.linux is None else asdict(known.linux),
        "serial": {"usb_ids": list(known.serial.usb_ids), "baud": known.serial.baud},
        "runner_settings": {name: dict(settings) for name, settings in known.runners.items()},
    }


def keras(model: Model) -> Mapping[str, object]:
    """A Keras model's layers."""
    layers = getattr(model.keras, "layers", ())
    return {
        "model": model.name,
        "layers": [
            {"name": layer.name, "class": type(layer).__name__, "parameters": layer.count_params()}
            for layer in layers
        ],
        "parameters": 0 if model.keras is None else model.keras.count_params(),
    }


def graph(known: Graph, cautions: Sequence[Caution]) -> Mapping[str, object]:
    """A model, its layers and its cautions; `macs` is None where the engine has no kernel."""
    return {
        "model": known.name,
        "sha256": known.sha256,
        "calibrated_randomly": known.calibrated_randomly,
        "ranges": known.ranges,
        "warnings": [asdict(caution) for caution in cautions],
        "inputs": _ends(known, known.inputs, known.input_names),
        "outputs": _ends(known, known.outputs, known.output_names),
        "macs": ops.macs(known),
        "weights_bytes": known.weights_bytes,
        "layers": [
            {
                "index": node.index,
                "op": node.op,
                "name": node.name,
                "outputs": [_tensor(known, index) for index in node.outputs],
                "macs": _macs(known, node),
                "weights_bytes": known.constant_bytes(node),
            }
            for node in known.nodes
        ],
    }


def on_board(known: Board, rewritten: Rewritten, planned: Plan, judged: Verdict) -> Mapping[str, object]:
    """What becomes of a model on a board; instructions are estimated."""
    return {
        "board": known.id,
        "optimize": planned.target.optimize,
        "passes": [
            {
                "name": applied.name,
                "nodes": len(applied.before.nodes) - len(applied.after.nodes),
                "channels": applied.channels,
                "macs": ops.macs(applied.before) - ops.macs(applied.after),
                "weights_bytes": applied.before.weights_bytes - applied.after.weights_bytes,
            }
            for applied in rewritten.applied
        ],
        "kernels": [
            {
                "layer": planned.graph.nodes[call.node].index,
                "kernel": call.step.kernel,
                "instructions": round(call.instructions),
                "scratch_bytes": call.step.scratch_bytes or 0,
                "constant_bytes": call.step.constant_bytes,
                "not_taken": dict(call.rejected),
            }
            for call in planned.calls
        ],
        "state_bytes": planned.state_bytes,
        "arena_bytes": planned.arena_bytes,
        "arena_parts": [{"region": region or None, "bytes": size} for region, size in planned.parts.items()],
        "buffers": [
            {"what": b.what, "offset": b.offset, "bytes": b.size_bytes, "first": b.first, "last": b.last}
            for b in planned.buffers
        ],
        "zeros": verdict.to_json(judged),
    }


def _ends(known: Graph, indices: Sequence[int], names: Sequence[str]) -> list[Mapping[str, object]]:
    return [{"name": name, **_tensor(known, index)} for name, index in zip(names, indices, strict=True)]


def _tensor(known: Graph, index: int) -> Mapping[str, object]:
    tensor = known.tensors[index]
    return {"dtype": tensor.dtype, "shape": list(tensor.shape)}


def _macs(known: Graph, node: Node) -> int | None:
    op = ops.OPS.get(node.op)
    return None if op is None else op.macs(known, node)
