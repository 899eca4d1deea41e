"""probe.py HOST PORT: asks the target for something small again and again, as a client of it would.

Each line is the moment and how long the answer took, in nanoseconds of the monotonic clock. A
process of its own: what else the bench does must not make its answers late.
"""
import contextlib
import os
import socket
import sys
import time

PAUSE = 0.001
ASK = b"GET /debug/pprof/cmdline HTTP/1.1\r\nHost: bench\r\n\r\n"


def main():
    with contextlib.suppress(OSError):
        os.nice(-10)  # what is measured is the target, not how we wait for a CPU
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        began = time.monotonic_ns()
        s.sendall(ASK)
        if not s.recv(65536):  # small enough to come in one piece
            return
        print(began, time.monotonic_ns() - began, flush=True)
        time.sleep(PAUSE)


main()
