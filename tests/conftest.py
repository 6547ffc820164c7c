"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Folder of the MLPerf Tiny reference models (kws, vww, ic, ad) beside the checkout."""
    folder = _CHECKOUT.parent / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("the MLPerf Tiny reference models are not beside the checkout (../shared/models)")
    return folder
