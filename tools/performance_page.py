"""The tables of ./tools/bench, and docs/performance.md with them: written between two markers.

docs/performance.json has the numbers that the page shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pages
from pages import Table

from microwright import _output

PAGE, NUMBERS = pages.DOCS / "performance.md", pages.DOCS / "performance.json"


def tables(content: Mapping[str, Any]) -> tuple[Table, Table]:
    """Speed and memory of the results of the JSON file."""
    return (
        Table(
            "One inference",
            (
                "model",
                "core",
                "instructions",
                "TFLM",
                "ratio",
                "reference C",
                "ratio",
                "per MAC",
                "cycles, est.",
                "ms, est.",
                "at MHz",
                "outputs",
            ),
            tuple(_speed(result) for result in content["results"]),
        ),
        Table(
            "Memory in bytes",
            (
                "model",
                "core",
                "arena",
                "TFLM",
                "ratio",
                "stack",
                "code",
                "TFLM",
                "ratio",
                "constants",
                "of own",
            ),
            tuple(_memory(result) for result in content["results"]),
        ),
    )


def _names(result: Mapping[str, Any]) -> tuple[str, str]:
    core = str(result["core"]).removeprefix("cortex-").upper().replace("PLUS", "+")
    return result["model"]["name"], core


def _speed(result: Mapping[str, Any]) -> tuple[str, ...]:
    instructions, macs = result["latency"]["value"], result["model"]["macs"]
    agreement = result["agreement"]
    wrong = None if agreement is None else agreement["mismatched_bytes"]
    return (
        *_names(result),
        f"{instructions:,.0f}",
        *_beside(instructions, result["anchor"].get("instructions")),
        *_beside(instructions, result["anchor"].get("reference_instructions")),
        f"{instructions / macs:.2f}" if macs else "",
        f"{result['estimated']['value']:,}",
        f"{result['estimated']['ms']:,.2f}",
        f"{result['estimated']['clock_hz'] / 1e6:g}",
        "not checked" if wrong is None else f"{wrong} differ" if wrong else "exact",
    )


def _memory(result: Mapping[str, Any]) -> tuple[str, ...]:
    memory, anchor = result["memory"], result["anchor"]
    own = result["model"]["weights_bytes"]
    return (
        *_names(result),
        f"{memory['arena_bytes']:,}",
        *_beside(memory["arena_bytes"], anchor.get("arena_bytes")),
        f"{memory['stack_bytes']:,}",
        f"{memory['code_bytes']:,}",
        *_beside(memory["code_bytes"], anchor.get("code_bytes")),
        f"{memory['weights_bytes']:,}",
        f"{memory['weights_bytes'] / own:.3f}" if own else "",
    )


def _beside(value: float, anchor: int | None) -> tuple[str, str]:
    """The other engine's number, and how many times ours it is."""
    return ("", "") if anchor is None else (f"{anchor:,}", f"{anchor / value:.2f}" if value else "")


def without_layers(content: Mapping[str, Any]) -> dict[str, Any]:
    """What docs/performance.json keeps."""
    return {
        **content,
        "results": [{k: v for k, v in result.items() if k != "layers"} for result in content["results"]],
    }


def markdown(content: Mapping[str, Any]) -> str:
    """What stands between the markers."""
    parts = [f"{content['toolchain']}, {content['emulator']}, Microwright {content['microwright_version']}."]
    return "\n\n".join([*parts, *(pages.markdown(table) for table in tables(content))])


def write(content: Mapping[str, Any]) -> None:
    """Write the numbers, and the tables into the page. Raises InputError where it has no markers."""
    pages.write(PAGE, markdown(content))
    _output.write(NUMBERS, pages.as_json(without_layers(content)))
