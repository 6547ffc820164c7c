"""Options of boards that run Linux."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from microwright.cli import _options

_F = TypeVar("_F", bound=Callable[..., Any])


def remote(function: _F) -> _F:
    """--host, --serial, --sustained, and --runtime with its settings as a `LiteRt`."""

    @functools.wraps(function)
    def with_remote(*, runtime: str, threads: int, xnnpack: str, **others: Any) -> None:
        from microwright.interpreted import LiteRt

        for name in ("threads", "xnnpack"):
            if runtime == "aot" and _options.given(name):
                raise click.UsageError(f"--{name} is for --runtime litert")
        function(litert=LiteRt(threads, xnnpack == "on") if runtime == "litert" else None, **others)

    decorated = with_remote
    for option in (
        click.option(
            "--sustained",
            "sustained_s",
            type=click.IntRange(0, 86_400),
            default=0,
            show_default="none",
            metavar="SECONDS",
            help="Run the model for so long, too, back to back: a Raspberry Pi that becomes hot.",
        ),
        click.option(
            "--xnnpack",
            type=click.Choice(("on", "off")),
            default="on",
            show_default=True,
            help="XNNPACK's kernels in LiteRT.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(1, 64),
            default=1,
            show_default=True,
            metavar="N",
            help="Threads of LiteRT.",
        ),
        click.option(
            "--runtime",
            type=click.Choice(("aot", "litert")),
            default="aot",
            show_default=True,
            help="What runs the model on a Raspberry Pi: C compiled ahead of time, or LiteRT.",
        ),
        click.option(
            "--serial",
            metavar="PORT",
            help="The port that a Raspberry Pi's own serial line is connected to: its agent answers there.",
        ),
        click.option(
            "--host", metavar="USER@HOST", help="A Raspberry Pi: the project is copied and started by ssh."
        ),
    ):
        decorated = option(decorated)
    return cast(_F, decorated)
