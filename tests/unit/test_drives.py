"""Boot loaders and probes that are drives: found, given the image, and heard."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from microwright.errors import (
    AmbiguousProbe,
    DeviceError,
    NoBootLoader,
    NoPermission,
    NoProbe,
)
from microwright.runners import Where, drives
from tests.support.flash_tools import flash

INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n"
DETAILS = "# DAPLink Firmware\r\nUnique ID: 9903360200052820\r\nHIC ID: 6e052820\r\nRemount count: {}\r\n"


class DriveBoard:
    """A board that is a drive: it takes the image once it is there, and goes away or mounts anew."""

    def __init__(self, folder: Path, marker: str, text: str, then: Callable[[Path], None]) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / marker).write_text(text)
        self.taken = b""
        self._then = then
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for file in self.folder.glob("firmware.*"):
                if file.read_bytes() == b"image":
                    self.taken = file.read_bytes()
                    self._then(self.folder)
                    return
            time.sleep(0.01)

    def ended(self) -> bytes:
        self._thread.join(10)
        return self.taken


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> list[drives.Drive]:
    there: list[drives.Drive] = []
    monkeypatch.setattr(drives, "mounted", lambda: tuple(there))
    return there


def test_uf2_copies_to_the_drive_and_waits_until_it_goes(folder: Path, mounts: list[drives.Drive]) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "INFO_UF2.TXT").write_text("Board-ID: RP2350\n")
    pico = DriveBoard(folder / "RPI RP2", "INFO_UF2.TXT", INFO, shutil.rmtree)
    mounts += [
        drives.Drive(other, None),
        drives.Drive(folder / "nothing", None),
        drives.Drive(pico.folder, None),
    ]
    done = flash(folder, "uf2", Where())
    assert (done.file, done.bytes) == (folder / "firmware.uf2", 5)
    assert pico.ended() == b"image"
    assert not list(other.glob("firmware.*"))


def test_a_drive_may_be_named_by_its_folder(folder: Path, mounts: list[drives.Drive]) -> None:
    pico = DriveBoard(folder / "pico", "INFO_UF2.TXT", INFO, shutil.rmtree)
    flash(folder, "uf2", Where(str(pico.folder)))
    assert pico.ended() == b"image"
    with pytest.raises(NoProbe, match="is not the drive of board example"):
        flash(folder, "uf2", Where(str(folder)))


def test_no_drive_says_how_to_get_one(folder: Path, mounts: list[drives.Drive]) -> None:
    with pytest.raises(NoBootLoader, match=r"no drive of board example.*INFO_UF2\.TXT") as caught:
        flash(folder, "uf2", Where())
    assert "BOOTSEL" in caught.value.hint and "mount" in caught.value.hint
    with pytest.raises(NoProbe, match=r"no drive of board example.*DETAILS\.TXT"):
        flash(folder, "daplink", Where())


def test_two_drives_are_listed(folder: Path, mounts: list[drives.Drive]) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "INFO_UF2.TXT").write_text(INFO)
        mounts.append(drives.Drive(folder / name, None))
    with pytest.raises(
        AmbiguousProbe, match=f"2 drives could be the board: {folder}/a, {folder}/b"
    ) as caught:
        flash(folder, "uf2", Where())
    assert caught.value.hint == "choose one with --probe FOLDER"


def test_a_drive_that_stays_did_not_take_the_image(
    folder: Path, mounts: list[drives.Drive], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drives, "TAKEN_S", 0.2)
    pico = DriveBoard(folder / "pico", "INFO_UF2.TXT", INFO, lambda folder: None)
    mounts.append(drives.Drive(pico.folder, None))
    with pytest.raises(DeviceError, match=r"is still there 0\.2 s after the image was copied"):
        flash(folder, "uf2", Where())


def test_a_drive_is_gone_with_its_device(folder: Path, mounts: list[drives.Drive]) -> None:
    # Nothing unmounts it: Linux still shows what it has read.
    device = folder / "sda1"
    device.write_text("")
    pico = DriveBoard(folder / "pico", "INFO_UF2.TXT", INFO, lambda folder: device.unlink())
    mounts.append(drives.Drive(pico.folder, device))
    flash(folder, "uf2", Where())
    assert pico.ended() == b"image"


def test_a_drive_that_cannot_be_written_says_so(
    folder: Path, mounts: list[drives.Drive], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drives, "_GONE_S", 0.0)
    for error, kind in (
        (PermissionError(13, "Permission denied"), NoPermission),
        (OSError(28, "full"), DeviceError),
    ):
        monkeypatch.setattr(drives, "_write", lambda source, target, error=error: error)
        (folder / "pico").mkdir(exist_ok=True)
        (folder / "pico" / "INFO_UF2.TXT").write_text(INFO)
        mounts[:] = [drives.Drive(folder / "pico", None)]
        with pytest.raises(DeviceError, match=f"{error.strerror}") as caught:
            flash(folder, "uf2", Where())
        assert type(caught.value) is kind


def remount(fail: str | None) -> Callable[[Path], None]:
    def then(folder: Path) -> None:
        if fail is not None:
            (folder / "FAIL.TXT").write_text(fail)
        (folder / "DETAILS.TXT").write_text(DETAILS.format(2))

    return then


def test_daplink_shows_what_the_board_says_of_the_image(folder: Path, mounts: list[drives.Drive]) -> None:
    fail = "error: The hex file cannot be decoded. Checksum calculation failure occurred.\r\ntype: user\r\n"
    bad = DriveBoard(folder / "bad", "DETAILS.TXT", DETAILS.format(1), remount(fail))
    with pytest.raises(DeviceError, match="refused the image: error: The hex file cannot be decoded"):
        flash(folder, "daplink", Where(str(bad.folder)))
    good = DriveBoard(folder / "good", "DETAILS.TXT", DETAILS.format(1), remount(None))
    mounts += [drives.Drive(good.folder, None)]
    flash(folder, "daplink", Where())
    assert good.ended() == b"image"


def test_drives_are_those_that_are_mounted() -> None:
    assert drives._unescaped(r"/media/me/RPI\040RP2") == "/media/me/RPI RP2"
    assert all(drive.folder.is_absolute() for drive in drives.mounted())
