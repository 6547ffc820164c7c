"""Microwright: from a Keras model to measured inference on a microcontroller."""

from __future__ import annotations

__version__ = "0.1.0"
