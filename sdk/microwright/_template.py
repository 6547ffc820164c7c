"""Rendering of firmware_templates/."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jinja2


def render(source: Path, context: Mapping[str, object]) -> bytes:
    """A template with all its values filled in; a value that is missing is an error."""
    # The output is C, CMake and Markdown, for which there is no escaping: the values are safe as they come.
    environment = jinja2.Environment(  # noqa: S701
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source.read_text(encoding="utf-8")).render(context).encode()
