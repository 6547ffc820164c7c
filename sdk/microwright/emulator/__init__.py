"""A board as Unicorn emulates its core: memory, registers that keep what is written, a UART on a TCP port.

A program of its own, which the runner `unicorn` starts: this folder is what Python runs, so that nothing is
imported from the folder that the user is in. Beside it lies what node runs for the runner `rp2040js`.
"""
