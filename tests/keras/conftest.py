"""Tests that need TensorFlow; the others run without it."""

from __future__ import annotations

import pytest

# Keras' variables do not follow numpy 2's array protocol yet.
_KERAS = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.filterwarnings(_KERAS))
