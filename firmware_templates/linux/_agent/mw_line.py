"""The line that requests come over: a stream, a serial device, a TCP or a Unix socket."""

from __future__ import annotations

import os
import select
import socket
import termios
import tty
from pathlib import Path

from mw_model import Failed
from mw_requests import Agent

_STUCK_S = 10  # the longest that a peer may take nothing of an answer


def serve_stream(agent: Agent, source: int, sink: int) -> None:
    """Serve what comes over a file descriptor, to its end."""
    while data := os.read(source, 65536):
        for answer in agent.receive(data):
            while answer:
                answer = answer[os.write(sink, answer) :]


def serve_sockets(agent: Agent, listener: socket.socket) -> None:
    """Serve one connection after the other, for ever; the latest is the line."""
    peer: socket.socket | None = None
    while True:
        for ready in select.select([listener, *([peer] if peer else [])], [], [])[0]:
            if ready is listener:
                if peer:
                    peer.close()
                peer, _ = listener.accept()
                peer.settimeout(_STUCK_S)
                break  # the one before it is closed
            try:
                data = ready.recv(65536)
                for answer in agent.receive(data):
                    ready.sendall(answer)
            except OSError:
                data = b""
            if not data:
                ready.close()
                peer = None


def tcp(address: str) -> socket.socket:
    """A listener at HOST:PORT; with port 0 at any that is free, which it prints."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise Failed(f"cannot listen on {address}: expected HOST:PORT")
    try:
        listener = socket.create_server((host, int(port)))
    except OSError as error:
        raise Failed(f"cannot listen on {address}: {error.strerror}") from error
    print(f"listening on {host}:{listener.getsockname()[1]}", flush=True)
    return listener


def unix(path: Path) -> socket.socket:
    """A listener at a path, for its user and group alone; what an agent before left there goes."""
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o117)
    try:
        if path.is_socket():
            path.unlink()
        listener.bind(str(path))
        listener.listen()
    except OSError as error:
        listener.close()
        raise Failed(f"cannot listen on {path}: {error.strerror or error}") from error
    finally:
        os.umask(mask)
    print(f"listening on {path}", flush=True)
    return listener


def serial(path: Path, baud: int) -> int:
    """A serial device, opened and set; what had arrived before is dropped."""
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise Failed(f"no serial line runs at {baud} baud")
    try:
        line = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(line)
        attributes = termios.tcgetattr(line)
        attributes[2] |= termios.CLOCAL | termios.CREAD
        attributes[4] = attributes[5] = speed
        termios.tcsetattr(line, termios.TCSANOW, attributes)
    except (OSError, termios.error) as error:
        raise Failed(f"cannot open the serial line {path}: {error}") from error
    return line
