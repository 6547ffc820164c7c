"""Board files: what is read from them, and what is refused with which message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from microwright import board
from microwright.board import Cpu, Linux, Pin, Placement, Region, Serial, Uart
from microwright.errors import BoardError

GOOD = """\
name = "Example"
template = "cortex_m/mps2"
url = "https://example.org"
tested = "built"

[cpu]
core = "cortex-m4"
fpu = "fpv4-sp-d16"
clock_hz = 180_000_000
reset_hz = 16_000_000

[memory]
flash = { origin = 0x0800_0000, bytes = 524_288 }
ram = { origin = 0x2000_0000, bytes = 131_072 }
ccm = { origin = 0x1000_0000, bytes = 65_536 }
itcm = { origin = 0, bytes = 16_384 }

[placement]
arena = ["ccm", "ram"]
code = "itcm"

[chip]
hse_hz = 8_000_000
prefetch = true

[uart]
driver = "cmsdk"
base = 0x4000_4000
tx = "PA2"
rx = "P1.08"

[serial]
usb_ids = ["0483:374b"]
baud = 115_200

[runners]
pyocd = { target = "stm32f446retx", speed = 4 }
qemu = { machine = "x" }
"""


def parse(text: str, board_id: str = "example") -> board.Board:
    return board.parse(text.encode(), board_id, f"{board_id}.toml")


def test_every_board_file_loads_under_its_id() -> None:
    for board_id in board.all_ids():
        assert board.load(board_id).id == board_id


def test_the_boards_of_the_readme_are_there() -> None:
    expected = {"host", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547"}
    assert expected <= set(board.all_ids())


def test_the_facts_of_a_file() -> None:
    made = parse(GOOD)
    assert made.cpu == Cpu("cortex-m4", "fpv4-sp-d16", 180_000_000, 16_000_000)
    assert made.compile_flags == ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
    assert made.flash == Region(0x0800_0000, 524_288)
    assert made.ram == Region(0x2000_0000, 131_072)
    assert made.extra == {"ccm": Region(0x1000_0000, 65_536), "itcm": Region(0, 16_384)}
    assert made.placement == Placement(("ccm", "ram"), "itcm")
    assert made.with_arena("ram").placement == Placement(("ram",), "itcm")
    assert made.chip == {"hse_hz": 8_000_000, "prefetch": True}
    assert made.uart == Uart("cmsdk", 0x4000_4000, Pin("PA2", 0, 2), Pin("P1.08", 1, 8))
    assert made.serial == Serial(("0483:374b",), 115_200)
    assert list(made.runners) == ["pyocd", "qemu"]
    assert made.runners["pyocd"] == {"target": "stm32f446retx", "speed": 4}
    assert made.text == GOOD


@pytest.mark.parametrize(
    ("region", "why"), [("cmm", "did you mean 'ccm'"), ("flash", "no memory region"), ("itcm", "code")]
)
def test_an_arena_elsewhere_is_refused(region: str, why: str) -> None:
    with pytest.raises(BoardError, match=why):
        parse(GOOD).with_arena(region)
    with pytest.raises(BoardError, match="the same region twice: ram, ram"):
        parse(GOOD).with_arena("ram", "ram")


def test_the_host_has_no_memory() -> None:
    host = board.load("host")
    assert (host.cpu.core, host.flash, host.ram, host.uart) == ("native", None, None, None)


def test_a_board_with_linux_has_its_architectures() -> None:
    pi = board.load("rpi4")
    assert (pi.flash, pi.ram, pi.uart, pi.placement.arena) == (None, None, None, ())
    assert pi.linux == Linux(("aarch64", "armv7l"), "aarch64", "/dev/serial0")
    assert pi.compile_flags == ("-mcpu=cortex-a72",)
    assert pi.with_arch("armv7l").compile_flags == ("-mcpu=cortex-a72", "-mfpu=neon-fp-armv8")
    for made, why in ((pi, "did you mean 'armv7l'"), (board.load("host"), "it runs none")):
        with pytest.raises(BoardError) as error:
            made.with_arch("armv7")
        assert why in error.value.message + error.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"aarch64", "armv7l"', '"armv6l"', r"'linux\.archs' is no list of a cortex-a72's architectures"),
        ('["aarch64", "armv7l"]', "[]", r"'linux\.archs' is no list"),
        ('"/dev/serial0"', '"serial0; reboot"', r"'linux\.serial' is not a device"),
        ('"cortex-a72"', '"native"', "'linux' is given, but a native board has none"),
        ("[linux]", "[memory]\n[linux]", "'memory' is given, but a board with a cortex-a72 has none"),
    ],
)
def test_a_wrong_linux_is_refused(old: str, new: str, message: str) -> None:
    text = board.load("rpi4").text
    assert old in text
    with pytest.raises(BoardError, match=message):
        parse(text.replace(old, new))


def test_an_unknown_id_gets_the_nearest_one() -> None:
    with pytest.raises(BoardError, match=r"no board 'mps2-an38x'; did you mean 'mps2-an38\d'\?") as error:
        board.load("mps2-an38x")
    assert "microwright boards" in error.value.hint


def test_an_id_is_not_a_path() -> None:
    with pytest.raises(BoardError, match="there is no board"):
        board.load("../boards/host")


OWN = GOOD.replace('"cortex_m/mps2"', '"cortex_m/mine"')
TEMPLATE = """\
[chip]
hse_hz = { about = "crystal", most = 50_000_000 }
prefetch = { about = "flash prefetch", flag = true }
"""


def own_folder(folder: Path, template: str = TEMPLATE) -> Path:
    """A folder of boards with one board and one template."""
    (folder / "firmware_templates" / "cortex_m" / "mine").mkdir(parents=True)
    (folder / "firmware_templates" / "cortex_m" / "mine" / "template.toml").write_text(template)
    (folder / "my-board.toml").write_text(OWN)
    return folder


def test_a_board_file_of_ones_own(tmp_path: Path) -> None:
    path = own_folder(tmp_path) / "my-board.toml"
    assert board.load(str(path)).id == "my-board"


def test_a_folder_of_ones_own_comes_before_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folder(tmp_path) / "mps2-an386.toml").write_text(OWN)
    monkeypatch.setenv("MICROWRIGHT_BOARDS", str(tmp_path))
    assert {"my-board", "mps2-an385"} <= set(board.all_ids())
    assert board.load("mps2-an386").name == board.load("my-board").name == "Example"
    assert board.load("mps2-an385").template == "cortex_m/mps2"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hse_hz = 8_000_000\n", "", r"'chip\.hse_hz' is missing"),
        ("hse_hz = 8_", "hsi_hz = 8_", r"'chip\.hsi_hz' is not a known key; did you mean 'hse_hz'\?"),
        ("8_000_000", "60_000_000", r"'chip\.hse_hz' is 60000000, outside 0 to 50000000"),
        ("prefetch = true", "prefetch = 1", r"'chip\.prefetch' is not true or false \(flash prefetch\)"),
        ("cortex_m/mine", "cortex_m/min", r"no template 'cortex_m/min'; did you mean 'cortex_m/mine'\?"),
    ],
)
def test_what_the_template_does_not_take_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = own_folder(tmp_path) / "my-board.toml"
    path.write_text(OWN.replace(old, new))
    with pytest.raises(BoardError, match=message):
        board.load(str(path))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (TEMPLATE.replace("most", "mosd"), r"'chip\.hse_hz\.mosd' is not a known key; did you mean 'most'"),
        (TEMPLATE.replace('"crystal"', "1"), r"'chip\.hse_hz\.about' is not a line of text"),
        (TEMPLATE.replace("hse_hz", "HSE"), r"'chip\.HSE' is no name of a setting"),
        (TEMPLATE.replace("[chip]", "[chips]"), r"'chips' is not a known key"),
    ],
)
def test_a_template_that_is_wrong_is_refused(tmp_path: Path, template: str, message: str) -> None:
    path = own_folder(tmp_path, template) / "my-board.toml"
    with pytest.raises(BoardError, match=message) as error:
        board.load(str(path))
    assert "template.toml" in error.value.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clock_hz =", "clock_hx =", r"'cpu\.clock_hx' is not a known key; did you mean 'clock_hz'\?"),
        ("[serial]", "[seral]", r"'seral' is not a known key; did you mean 'serial'\?"),
        ('"cortex-m4"', '"cortex-m4f"', r"'cpu\.core' is 'cortex-m4f'.*did you mean 'cortex-m4'\?"),
        ('"fpv4-sp-d16"', '"fpv5-d16"', r"'cpu\.fpu' is 'fpv5-d16', which is not known"),
        ("180_000_000", "0", r"'cpu\.clock_hz' is 0, outside 1 to"),
        ("180_000_000", "true", r"'cpu\.clock_hz' is not a whole number"),
        ("180_000_000", '"180"', r"'cpu\.clock_hz' is not a whole number"),
        ("16_000_000", "-1", r"'cpu\.reset_hz' is -1, outside 1 to"),
        ('"built"', '"hardware"', r"'tested' is 'hardware', which is not known"),
        ("8_000_000\nprefetch", "-8\nprefetch", r"'chip\.hse_hz' is -8, outside 0 to"),
        ("8_000_000\nprefetch", '"8"\nprefetch', r"'chip\.hse_hz' is not a whole number, true or false"),
        ("hse_hz", "HSE", r"'chip\.HSE' is no name of a setting"),
        ('["ccm", "ram"]', '["cmm", "ram"]', r"'placement\.arena' is no list of regions"),
        ('["ccm", "ram"]', '["ram", "ram"]', r"'placement\.arena' names a region twice"),
        ('["ccm", "ram"]', '["flash"]', r"'placement\.arena' is no list of regions"),
        ('code = "itcm"', 'code = "ccm"', r"'placement\.code' is ccm, where the arena lies"),
        ('code = "itcm"', 'code = "ram"', r"'placement\.code' is 'ram', which is not known"),
        ('"PA2"', '"A2"', r"'uart\.tx' is not a pin such as"),
        ("bytes = 131_072", "bytes = 0", r"'memory\.ram\.bytes' is 0, outside"),
        ("origin = 0x2000_0000", "origin = 0xffff_ffff", r"'memory\.ram\.bytes' is 131072, outside 1 to 1\b"),
        ("origin = 0x2000_0000", "origin = 0x0801_0000", r"'memory\.flash' overlaps ram"),
        ("ram = {", "RAM = {", r"'memory\.RAM' is no name of a region"),
        ("ram = {", "ram2 = {", r"'memory\.ram' is missing"),
        ('"cortex_m/mps2"', '"../cortex_m"', r"'template' is not a folder of firmware_templates"),
        ('"cortex_m/mps2"', '"_common"', r"'template' is not a folder of firmware_templates"),
        ('"cmsdk"', '"../cmsdk"', r"'uart\.driver' is not a file of"),
        ('"Example"', '"Two\\nlines"', r"'name' is not a line of"),
        ('"Example"', '""', r"'name' is not a line of"),
        ('"0483:374b"', '"0483"', r"'serial\.usb_ids' is no list of vendor:product"),
        ("stm32f446retx", "\\u001b[2J", r"'runners\.pyocd\.target' is not a line of"),
        ("speed = 4", "speed = [4]", r"'runners\.pyocd\.speed' is neither text nor a whole number"),
        (
            'pyocd = { target = "stm32f446retx", speed = 4 }\nqemu = { machine = "x" }\n',
            "",
            "'runners' is empty",
        ),
        ('name = "Example"\n', "", "'name' is missing"),
        ("[cpu]", "[cpu", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(BoardError, match=message) as error:
        parse(GOOD.replace(old, new, 1))
    assert error.value.message.startswith("example.toml")
    assert "\n" not in error.value.message + error.value.hint


def test_a_core_that_needs_an_fpu_says_so() -> None:
    with pytest.raises(BoardError, match=r"'cpu\.fpu' is missing: cortex-m55 needs it"):
        parse(GOOD.replace('"cortex-m4"\nfpu = "fpv4-sp-d16"', '"cortex-m55"'))


def test_a_native_board_with_memory_is_refused() -> None:
    text = re.sub(r"(?s)core = .*?reset_hz = \S+", 'core = "native"', GOOD)
    with pytest.raises(BoardError, match="'memory' is given, but a native board has none"):
        parse(text)


@pytest.mark.parametrize("board_id", ["", "Upper", "two words", 'quote"', "-dash", "x" * 65])
def test_a_file_name_that_is_no_id_is_refused(board_id: str) -> None:
    with pytest.raises(BoardError, match="is no board id"):
        parse(GOOD, board_id)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 5000, b"\0"])
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(BoardError):
        board.parse(content, "example", "example.toml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"absent\.toml cannot be read: No such file"):
        board.load_file(tmp_path / "absent.toml")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.toml"
    path.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(BoardError, match="larger than"):
        board.load_file(path)
