"""Facts about the machine, and about this process on it."""

from __future__ import annotations

import os
import platform
import re
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

_COMMAND_S = 2  # the longest that a command may take which tells a fact
_DESKTOPS = {"Xorg", "labwc", "wayfire", "weston", "mutter", "gnome-shell", "kwin_wayland", "lxsession"}
_CPUS = "/sys/devices/system/cpu"


class Machine:
    """What there is to read about a machine; what it does not tell is empty. Tests give recorded files."""

    def text(self, path: str) -> str:
        """A small file's text."""
        try:
            return Path(path).read_bytes()[:65536].decode("utf-8", "replace").strip("\0\n ")
        except OSError:
            return ""

    def paths(self, folder: str, pattern: str) -> list[str]:
        """Files that match, below a folder, in their order."""
        return sorted(str(path) for path in Path(folder).glob(pattern))

    def output(self, *command: str) -> str:
        """What a command writes, if all goes well."""
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_S, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        return done.stdout.decode("utf-8", "replace").strip()


def _found(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1].strip() if match else None


def _number(text: str | None, base: int = 10) -> int | None:
    try:
        return int(text or "", base)
    except ValueError:
        return None


def _times(number: int | None, factor: int) -> int | None:
    return None if number is None else number * factor


def machine_facts(machine: Machine) -> dict[str, Any]:
    """Facts about the machine, None where it does not tell."""
    hz = _number(_found(r"^frequency\(\d+\)=([0-9]+)$", machine.output("vcgencmd", "measure_clock", "arm")))
    asked = [
        _times(_number(machine.text(path)), 1000)
        for path in machine.paths(_CPUS, "cpu[0-9]*/cpufreq/scaling_cur_freq")
    ]
    throttled = _found(r"^throttled=(0x[0-9a-fA-F]+)$", machine.output("vcgencmd", "get_throttled"))
    if throttled is None:
        throttled = machine.text("/sys/devices/platform/soc/soc:firmware/get_throttled") or None
    cpus = len(machine.paths(_CPUS, "cpu[0-9]*")) or 1
    milli_c = _number(machine.text("/sys/class/thermal/thermal_zone0/temp"))
    load = _found(r"^([0-9.]+) ", machine.text("/proc/loadavg"))
    names = {machine.text(path) for path in machine.paths("/proc", "[0-9]*/comm")}
    return {
        "frequency_hz": [hz] * cpus if hz else [each for each in asked if each is not None] or None,
        "frequency_max_hz": _times(_number(machine.text(f"{_CPUS}/cpu0/cpufreq/cpuinfo_max_freq")), 1000),
        "governor": machine.text(f"{_CPUS}/cpu0/cpufreq/scaling_governor") or None,
        "temperature_c": None if milli_c is None else milli_c / 1000,
        "throttled": _number(throttled, 16),
        "load1": float(load) if load else None,
        "desktop": bool(names & _DESKTOPS) if names else None,
        "board_model": machine.text("/proc/device-tree/model") or None,
        "revision": _found(r"^Revision\s*:\s*(\S+)$", machine.text("/proc/cpuinfo")),
        "os": _found(r'^PRETTY_NAME="?([^"\n]*)"?$', machine.text("/etc/os-release")),
        "kernel": machine.text("/proc/sys/kernel/osrelease") or None,
    }


def status_bytes(machine: Machine, key: str) -> int | None:
    """A size in /proc/self/status, which has it in KiB."""
    return _times(_number(_found(rf"^{key}:\s*(\d+) kB$", machine.text("/proc/self/status"))), 1024)


def process_facts(machine: Machine) -> dict[str, Any]:
    """Facts about this process."""
    arch = platform.machine()
    return {
        # 32-bit programs run on 64-bit kernels, too.
        "arch": "armv7l" if arch == "aarch64" and struct.calcsize("P") == 4 else arch,
        "python": platform.python_version(),
        "affinity": sorted(os.sched_getaffinity(0)),
        "vm_hwm_bytes": status_bytes(machine, "VmHWM"),
        "rss_bytes": status_bytes(machine, "VmRSS"),
        "time_ns": time.monotonic_ns(),
    }
