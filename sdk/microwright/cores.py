"""Cores and architectures, and what a compiler has to be told of them. The only place that knows them."""

from __future__ import annotations

from collections.abc import Mapping

# The compiler flags of each core, by FPU (None: without).
CORES: Mapping[str, Mapping[str | None, tuple[str, ...]]] = {
    "native": {None: ()},
    "cortex-m0": {None: ("-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft")},
    "cortex-m0plus": {None: ("-mcpu=cortex-m0plus", "-mthumb", "-mfloat-abi=soft")},
    "cortex-m3": {None: ("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft")},
    "cortex-m4": {
        None: ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"),
        "fpv4-sp-d16": ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
    },
    "cortex-m7": {
        None: ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=soft"),
        "fpv5-sp-d16": ("-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
        "fpv5-d16": ("-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-d16", "-mfloat-abi=hard"),
    },
    "cortex-m33": {
        None: ("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=soft"),
        "fpv5-sp-d16": ("-mcpu=cortex-m33", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
    },
    "cortex-m55": {"auto": ("-mcpu=cortex-m55", "-mthumb", "-mfpu=auto", "-mfloat-abi=hard")},
}

# So for cores that run Linux, by the architecture that the operating system says it has.
LINUX_CORES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "arm1176": {"armv6l": ("-mcpu=arm1176jzf-s", "-mfpu=vfp", "-marm")},
    **{
        core: {"aarch64": (f"-mcpu={core}",), "armv7l": (f"-mcpu={core}", "-mfpu=neon-fp-armv8")}
        for core in ("cortex-a53", "cortex-a72", "cortex-a76")
    },
}

# GCC's names of architectures. For armv6l it is that of ARMv5 without an FPU: in the C library that Debian
# has for arm-linux-gnueabihf are instructions of ARMv7.
TRIPLETS: Mapping[str, str] = {
    "aarch64": "aarch64-linux-gnu",
    "armv7l": "arm-linux-gnueabihf",
    "armv6l": "arm-linux-gnueabi",
}
