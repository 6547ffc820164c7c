"""The user's own layers and functions by name: `module:object`. Never code from a model file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from microwright import _user_code
from microwright.errors import InputError


def custom_object(name: str) -> Mapping[str, Any]:
    """What `module:object` names, under the names that model files call it by.

    The module is imported from the working folder or Python's path, which runs it. Raises InputError.
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise InputError(f"{name!r} is no custom object", "write module:object, as in layers:MyLayer")
    found = _user_code.find(name)
    names = {attribute.rpartition(".")[2], getattr(found, "__name__", attribute)}
    for keras in (sys.modules.get("keras"), sys.modules.get("tf_keras")):
        if keras is not None:  # a name that register_keras_serializable gave it
            names.add(keras.saving.get_registered_name(found))
    return dict.fromkeys(names, found)
