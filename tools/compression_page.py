"""The tables and the plot of ./tools/bench_compression, and docs/compression.md with them.

docs/compression.json has the numbers that the page shows.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pages
from pages import Table

from microwright import _output

PAGE, NUMBERS = pages.DOCS / "compression.md", pages.DOCS / "compression.json"
PLOT = "compression"
TITLES = {
    "digits": "Digits: a CNN, 8x8 pixels, ten classes",
    "binary": "Binary: dense layers of sigmoid units, 30 features of breast tumours",
}
_RATIOS = ("bytes_ratio", "macs_ratio", "instructions_ratio")
_MARKERS = {"channel": "o", "block": "s", "unstructured": "^", "none": "D"}

Records = Mapping[str, Mapping[str, Any]]


def medians(records: Records) -> dict[str, float]:
    """Of the ratios and accuracies over the seeds; `drop` is what a seed's accuracy lost, 0 to 1."""
    each = [
        {**record, "drop": record["accuracy_float"] - record["accuracy_device"]}
        for record in records.values()
    ]
    names = (*_RATIOS, "accuracy_float", "accuracy_device", "drop")
    return {name: median(record[name] for record in each) for name in names}


def of_case(name: str, records: Records, ends: Sequence[Mapping[str, Any]]) -> tuple[Table, ...]:
    """Each step, the median over the seeds; what each seed came to; where the steps ended, and why."""
    title = TITLES[name]
    columns = [list(steps) for steps in zip(*(record["steps"] for record in records.values()), strict=True)]
    middle = medians(records)
    seeds = [
        _seed(seed, {**record, "drop": record["accuracy_float"] - record["accuracy_device"]})
        for seed, record in records.items()
    ]
    return (
        Table(
            f"{title}: steps, median of {len(records)} seeds",
            (
                "network",
                "bytes",
                "parameters",
                "MACs",
                "instructions, est.",
                "instructions",
                "validation",
                "test",
            ),
            tuple(_step(column) for column in columns),
            names=1,
        ),
        Table(
            f"{title}: before and after",
            ("seed", "bytes", "MACs", "instructions", "accuracy, float", "accuracy, device", "points lost"),
            (*seeds, _seed("median", middle)),
            names=1,
        ),
        Table(
            f"{title}: where it ends, by the validation samples",
            ("part of the MACs", "points lost, mean", "small enough", "holds"),
            tuple(
                (
                    f"{end['share']:.2%}",
                    f"{end['points_lost'] + 0:.2f}",
                    "yes" if end["small"] else "no",
                    "yes" if end["holds"] else "no",
                )
                for end in ends
            ),
            names=1,
        ),
    )


def _step(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    def middle(name: str, form: str) -> str:
        values = [row[name] for row in rows]
        return "" if None in values else format(median(values), form)

    return (
        rows[0]["what"],
        *(
            middle(name, ",.0f")
            for name in ("bytes", "parameters", "macs", "estimated_instructions", "emulated_instructions")
        ),
        middle("accuracy_validation", ".2%"),
        middle("accuracy_test", ".2%"),
    )


def _seed(seed: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        seed,
        *(f"1/{1 / record[name]:.0f}" for name in _RATIOS),
        f"{record['accuracy_float']:.2%}",
        f"{record['accuracy_device']:.2%}",
        f"{100 * record['drop'] + 0:.2f}",
    )


def of_sweep(points: Sequence[Mapping[str, Any]]) -> Table:
    """Methods and sparsities of one network; those that no other beats in both are marked."""
    best = front(points)
    return Table(
        "Methods and sparsities: the digits' CNN on the device, one seed",
        ("method", "weights removed", "bytes", "MACs", "instructions", "accuracy", "Pareto"),
        tuple(
            (
                point["method"],
                f"{point['sparsity']:.0%}",
                f"{point['bytes']:,}",
                f"{point['macs']:,}",
                f"{point['instructions']:,.0f}",
                f"{point['accuracy']:.2%}",
                "yes" if point in best else "",
            )
            for point in points
        ),
        names=1,
    )


def front(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The points that no other beats: with fewer instructions none is as accurate. The fastest first."""
    found: list[Mapping[str, Any]] = []
    for point in sorted(points, key=lambda point: (point["instructions"], -point["accuracy"])):
        if not found or point["accuracy"] > found[-1]["accuracy"]:
            found.append(point)
    return found


def markdown(content: Mapping[str, Any]) -> str:
    """What stands between the markers."""
    parts = [
        f"{content['board']}, {content['toolchain']}, {content['emulator']}, "
        f"Microwright {content['microwright_version']}."
    ]
    tables = [table for name in TITLES for table in of_case(name, content[name], content["ends"][name])]
    parts += [pages.markdown(table) for table in (*tables, of_sweep(content["sweep"]))]
    return "\n\n".join([*parts, f"![Accuracy against instructions, by method]({PLOT}.svg)"])


def plot(points: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Accuracy against instructions, as a PNG and an SVG: the same numbers give the same files."""
    import matplotlib
    from matplotlib.figure import Figure

    style = {"svg.hashsalt": PLOT, "svg.fonttype": "none", "font.family": "sans-serif"}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.add_subplot()
        best = front(points)
        axes.plot(
            [point["instructions"] for point in best],
            [100 * point["accuracy"] for point in best],
            color="0.7",
            label="Pareto front",
        )
        for method, marker in _MARKERS.items():
            chosen = [point for point in points if point["method"] == method]
            axes.plot(
                [point["instructions"] for point in chosen],
                [100 * point["accuracy"] for point in chosen],
                marker,
                label=f"{method} pruning" if method != "none" else "not pruned",
            )
            for point in chosen:
                if point["sparsity"]:
                    at = point["instructions"], 100 * point["accuracy"]
                    axes.annotate(
                        f"{point['sparsity']:.0%}",
                        at,
                        (0, 6),
                        textcoords="offset points",
                        ha="center",
                        size=7,
                    )
        axes.set_xscale("log")
        axes.margins(y=0.15)
        axes.set_xlabel("instructions of an inference (emulated Cortex-M4)")
        axes.set_ylabel("accuracy on the test set, int8 on the device, %")
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
        for suffix, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
            content = io.BytesIO()
            figure.savefig(content, format=suffix, dpi=120, metadata=metadata)
            _output.write(folder / f"{PLOT}.{suffix}", content.getvalue())


def write(content: Mapping[str, Any]) -> None:
    """Write the numbers, the plot and the page's tables. Raises InputError for a page without markers."""
    pages.write(PAGE, markdown(content))
    _output.write(NUMBERS, pages.as_json(content))
    plot(content["sweep"], pages.DOCS)
