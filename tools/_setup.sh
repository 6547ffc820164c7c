# Sets the checkout up; sourced by ./tools/demo and ./tools/test with one argument:
#   demo   what the main job needs: arm-none-eabi-gcc, QEMU, CMake, Ninja, and in .venv the package with TensorFlow
#   dev    that, a native C and C++ compiler, one for 64-bit Arm and QEMU's user-mode emulation, node, and the test tools
# Afterwards ROOT is the checkout, PYTHON the Python of .venv, and the working directory is unchanged.
# Running it again takes a moment: it installs only what is missing.

set -euo pipefail
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
unset PYTHONPATH PYTHONHOME

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
PYTHON="$ROOT/.venv/bin/python"
EXTRA=$1

stop() { # message, hint
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

right_version() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The newest Python that can make a virtual environment, else the newest of the right version, else nothing.
find_python() {
    local name found=''
    for name in python3.13 python3.12 python3.11 python3.10 python3; do
        if has "$name" && right_version "$name"; then
            if can_make_venv "$name"; then
                echo "$name"
                return
            fi
            found=${found:-$name}
        fi
    done
    echo "$found"
}

# Debian packages of what is missing.
missing_packages() {
    local python
    python=$(find_python)
    if [ -z "$python" ]; then
        echo python3 python3-venv
    elif ! can_make_venv "$python"; then
        echo "$python-venv"
    fi
    has arm-none-eabi-gcc || echo gcc-arm-none-eabi
    # Without the library the compiler prints the bare name back.
    [ "$(arm-none-eabi-gcc -print-file-name=libc.a 2>/dev/null)" != libc.a ] && has arm-none-eabi-gcc ||
        echo libnewlib-arm-none-eabi
    has qemu-system-arm || echo qemu-system-arm
    has cmake || echo cmake
    has ninja || echo ninja-build
    if [ "$EXTRA" = dev ]; then
        has openocd || echo openocd
        has st-flash || echo stlink-tools
        has dfu-util || echo dfu-util
        has stm32flash || echo stm32flash
        has bossac || echo bossa-cli
        has teensy_loader_cli || echo teensy-loader-cli
        has clang || echo clang
        has gcc || echo gcc
        has g++ || echo g++
        [ -e /usr/include/stdio.h ] || echo libc6-dev
        has node || echo nodejs
        has npm || echo npm
        has aarch64-linux-gnu-gcc || echo gcc-aarch64-linux-gnu
        [ -e /usr/aarch64-linux-gnu/lib/libc.a ] || [ "$(uname -m)" = aarch64 ] || echo libc6-dev-arm64-cross
        has qemu-aarch64-static || echo qemu-user-static
        has ssh || echo openssh-client
        [ -x /usr/sbin/sshd ] || has sshd || echo openssh-server
    fi
}

install_packages() { # packages
    local as_root=()
    local command="apt-get install -y --no-install-recommends $*"
    if ! has apt-get; then
        stop "not installed: $*" "these are Debian's names; install their likes with your system's package manager"
    elif [ "$(id -u)" != 0 ]; then
        if ! has sudo; then
            stop "not installed: $*" "as root: apt-get update && $command"
        elif sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        elif [ -t 0 ]; then
            as_root=(sudo)
        else
            stop "not installed: $*" "sudo apt-get update && sudo $command"
        fi
    fi
    echo "Installing $*" >&2
    local options=(-qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
    "${as_root[@]}" apt-get "${options[@]}" update >&2 ||
        echo "apt-get update failed; trying with the package lists at hand" >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install -y --no-install-recommends "$@" \
        </dev/null >&2 || stop "apt-get could not install $*" "sudo $command"
}

# What is in .venv: a hash of all that decides it.
stamp() { # extra
    { "$PYTHON" --version; echo "$1 $ROOT"; cat "$ROOT/pyproject.toml" "$ROOT/tools/constraints.txt"; } | sha256sum
}

up_to_date() {
    local extra
    for extra in dev "$EXTRA"; do # dev contains demo
        if [ "$(cat "$ROOT/.venv/microwright-$extra" 2>/dev/null)" = "$(stamp "$extra")" ]; then
            return 0
        fi
    done
    return 1
}

install_python_packages() {
    if ! "$PYTHON" -m pip --version >/dev/null 2>&1 || ! right_version "$PYTHON"; then
        local python
        python=$(find_python)
        [ -n "$python" ] || stop "no Python from 3.10 to 3.13 found" "install one, with its venv module"
        rm -rf "$ROOT/.venv"
        "$python" -m venv "$ROOT/.venv" || stop "$python cannot make $ROOT/.venv" "check that the folder can be written"
    fi
    if ! up_to_date; then
        echo "Installing Python packages into .venv; the first time this takes a minute or two" >&2
        rm -f "$ROOT"/.venv/microwright-*
        (cd "$ROOT" && "$PYTHON" -m pip install --quiet -c tools/constraints.txt -e ".[$EXTRA]") >&2 ||
            stop "pip could not install the Python packages" "see above; once that is solved, run this again"
        stamp "$EXTRA" >"$ROOT/.venv/microwright-$EXTRA"
    fi
}

# The emulator of the Raspberry Pi Pico. Where npm could not install it, and only there, tests that need it are skipped.
install_node_packages() {
    local wanted=rp2040js@1.4.1 there="$ROOT/.venv/lib/node_modules/rp2040js/package.json"
    local without="$ROOT/.venv/without-rp2040js"
    rm -f "$without"
    if ! grep -qs "\"version\": \"${wanted#*@}\"" "$there"; then
        npm install --silent --no-audit --no-fund --fetch-retries=1 --global --prefix "$ROOT/.venv" "$wanted" </dev/null >&2 ||
            echo "npm could not install $wanted; going on without it" | tee "$without" >&2
    fi
}

# One set-up at a time in a checkout.
exec 9<"$ROOT"
! has flock || flock 9
mapfile -t packages < <(missing_packages)
if [ "${#packages[@]}" -gt 0 ]; then
    install_packages "${packages[@]}"
fi
install_python_packages
[ "$EXTRA" != dev ] || install_node_packages
exec 9<&-
