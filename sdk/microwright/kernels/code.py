"""What kernels bring into a firmware: files of the runtime, bytes of code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import PurePosixPath

from microwright import _paths
from microwright.kernels.code_bytes import CODE_BYTES

# Of a source that was not measured yet.
_UNKNOWN_BYTES = 1000

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([A-Za-z0-9_./]+)"', re.MULTILINE)


def files(kernels: Iterable[str], texts: Iterable[str] = ()) -> Mapping[str, bytes]:
    """Path below the runtime -> content of the kernels' sources and, transitively, of all that is included.

    `texts` are sources that include headers of the runtime, too. A header `mw/NAME.h` brings the source
    `NAME.c` where there is one.
    """
    found: dict[str, bytes] = {}
    wanted = [f"src/{kernel}.c" for kernel in kernels]
    wanted += [f"include/{name}" for text in texts for name in _INCLUDE.findall(text)]
    while wanted:
        path = wanted.pop()
        if path in found or not (_paths.runtime() / path).is_file():
            continue
        found[path] = (_paths.runtime() / path).read_bytes()
        for name in _INCLUDE.findall(found[path].decode()):
            wanted += [f"include/{name}", f"src/{name}"]
        if path.startswith("include/mw/"):
            wanted.append(f"src/{PurePosixPath(path).stem}.c")
    return found


def code_bytes(kernels: Iterable[str]) -> int:
    """About how much code the kernels bring, what they share counted once."""
    return sum(CODE_BYTES.get(s, _UNKNOWN_BYTES) for s in {s for k in kernels for s in _sources(k)})


@cache
def _sources(kernel: str) -> frozenset[str]:
    """Stems of the sources of a kernel."""
    return frozenset(PurePosixPath(path).stem for path in files([kernel]) if path.startswith("src/"))
