"""The options of a firmware's profile."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from microwright.profile import Result, Sent

_F = TypeVar("_F", bound=Callable[..., Any])


def profile(function: _F) -> _F:
    """--profile mlperf-tiny and what is said of it, as `MlperfTiny` or None."""

    @functools.wraps(function)
    def with_profile(
        *,
        profile: str | None,
        mlperf_model: str | None,
        mlperf_input: Sent | None,
        mlperf_result: Result | None,
        **others: Any,
    ) -> None:
        from microwright.profile import MlperfTiny

        said = MlperfTiny(mlperf_model, mlperf_input, mlperf_result)
        if profile is None and said != MlperfTiny():
            raise click.UsageError("the --mlperf options are for --profile mlperf-tiny")
        function(profile=said if profile else None, **others)

    options = [
        click.option(
            "--profile",
            type=click.Choice(("mlperf-tiny",)),
            help="Another protocol that the firmware answers on the same port.",
        ),
        click.option(
            "--mlperf-model",
            metavar="NAME",
            help="Its name there: kws01, vww01, ic01, ad01, or one of your own; default: by the shapes.",
        ),
        click.option(
            "--mlperf-input",
            type=click.Choice(("raw", "uint8", "float32")),
            help="How inputs of a model of your own are sent; raw: as the model takes them, the default.",
        ),
        click.option(
            "--mlperf-result",
            type=click.Choice(("values", "error")),
            help="Its result: the output's values, the default, or their mean squared error to the input.",
        ),
    ]
    decorated = with_profile
    for option in reversed(options):
        decorated = option(decorated)
    return cast(_F, decorated)
