"""Write docs/layers.md: layers of the tests are quantised, compiled, run, and compared.

Without names, all layers, which takes minutes; with names, these, and the others stay as the page has them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pages

PATH = pages.DOCS / "layers.md"

_INTRODUCTION = """\
# Layers

Written by `tools/layers_page.py`, which quantises each layer in a small model of its own, compiles it, runs
it on this machine and compares the outputs; do not edit.

What Keras layers become, and whether they run. **equal**: the same bytes as the reference for random inputs
and for the smallest and largest ones, by the plain kernels and by the fastest for any core. The reference is
TensorFlow Lite Micro, or LiteRT where that cannot run the operators ([operators.md](operators.md)). Names
with a comma are variants of a layer. Recurrent layers are unrolled to be quantised, whether they say so or
not.
"""


def row(name: str, outcome: Any) -> str:
    """A layer's line of the page."""
    operators = ", ".join(f"`{op}`" for op in outcome.operators)
    return f"| `{name}` | {operators} | {outcome.compared_with} | {outcome.result} |"


def text(groups: Mapping[str, Sequence[str]], left_out: Mapping[str, str]) -> str:
    """The page; `groups` has the rows of each group."""
    parts = [_INTRODUCTION]
    for group, rows in groups.items():
        parts.append(f"\n## {group.capitalize()}\n\n| layer | operators | compared with | result |\n")
        parts.append("| --- | --- | --- | --- |\n")
        parts += [f"{row}\n" for row in rows]
    parts.append("\n## Left out\n\n")
    for reason in dict.fromkeys(left_out.values()):
        names = ", ".join(f"`{name}`" for name, why in left_out.items() if why == reason)
        parts.append(f"- {reason}: {names}\n")
    return "".join(parts)


def shown() -> Mapping[str, str]:
    """The rows of the page, by layer."""
    lines = PATH.read_text(encoding="utf-8").splitlines() if PATH.exists() else []
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


def _main(names: Sequence[str]) -> None:
    # The table of layers is the tests'.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.support import keras_layers

    rows = dict(shown())
    cases = {name: case for group in keras_layers.GROUPS.values() for name, case in group.items()}
    for name in names or cases:
        rows[name] = row(name, keras_layers.outcome(cases[name]))
        print(rows[name], flush=True)
        groups = {
            group: [rows[name] for name in cases if name in rows]
            for group, cases in keras_layers.GROUPS.items()
        }
        PATH.write_text(text(groups, keras_layers.LEFT_OUT), encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
