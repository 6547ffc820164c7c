"""C sources in memory: a SourceSet maps a path relative to the project to its text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

SourceSet: TypeAlias = Mapping[str, str]
