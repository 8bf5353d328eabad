"""Devices on pseudo-terminals that send at the speed of their lines and wait for no reader, as hardware does.

stdin: a line of JSON, [{"link", "file", "bytes_per_s", "piece_bytes"}], then for each stretch a line with its seconds; open until
nobody reads any more.
stdout: a line when the ports are there, and for each stretch one of JSON: what a port did not take (EAGAIN) because its reader is
late is an overrun.
"""

import fcntl
import json
import os
import sys
import termios
import time
import tty
from contextlib import suppress

TURN_S = 0.001
# This program itself may get no processor: what it would have sent in a longer break than this overruns nobody.
MOST_APART_S = 0.004
# What the driver of a real port holds; a pseudo-terminal holds 8 KiB, and then waits for the kernel's own thread.
DRIVER_BYTES = 640 * 1024
# Of the 4 KiB that the kernel keeps for the reader. With more the reader is late, with less the kernel is.
READER_IS_LATE_BYTES = 2048


class Line:
    """One device: sends the bytes of a file in pieces, as an adapter hands them over."""

    def __init__(self, link: str, file: str, bytes_per_s: int, piece_bytes: int) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        os.symlink(os.ttyname(self.slave), link)
        with open(file, "rb") as source:
            self.bytes = source.read()
        self.bytes_per_s = bytes_per_s
        self.piece_bytes = piece_bytes
        self.begun_at = 0.0
        self.turned_at = 0.0
        self.begun_at_position = 0
        self.end = 0
        self.position = 0
        self.overruns = 0
        self.overrun_bytes = 0
        self.kernel_waits = 0
        self.stood_still_s = 0.0

    @property
    def is_done(self) -> bool:
        return self.position >= self.end

    def begin(self, now: float, seconds: float) -> None:
        self.begun_at = now
        self.turned_at = now
        self.begun_at_position = self.position
        self.end = min(len(self.bytes), self.position + round(seconds * self.bytes_per_s))

    def turn(self, now: float) -> None:
        stood_still_s = max(0.0, now - self.turned_at - MOST_APART_S)
        self.begun_at += stood_still_s
        self.stood_still_s += stood_still_s
        self.turned_at = now
        due = (now - self.begun_at) * self.bytes_per_s - (self.position - self.begun_at_position)
        while due >= self.piece_bytes and not self.is_done:
            if not self.send(due):
                break
            due -= self.piece_bytes

    def send(self, due: float) -> bool:
        """False when the piece has to wait for the kernel. What the reader left no room for is gone."""
        piece = self.bytes[self.position : self.position + self.piece_bytes]
        taken = 0
        with suppress(BlockingIOError):
            taken = os.write(self.master, piece)
        if taken < len(piece) and due < DRIVER_BYTES and self.unread() < READER_IS_LATE_BYTES:
            self.kernel_waits += 1
            self.position += taken
            return False
        if taken < len(piece):
            self.overruns += 1
            self.overrun_bytes += len(piece) - taken
        self.position += len(piece)
        return True

    def result(self) -> dict[str, float]:
        """All since the beginning."""
        return {
            "position": self.position,
            "overruns": self.overruns,
            "overrun_bytes": self.overrun_bytes,
            "kernel_waits": self.kernel_waits,
            "stood_still_s": self.stood_still_s,
        }

    def unread(self) -> int:
        return int.from_bytes(fcntl.ioctl(self.slave, termios.FIONREAD, bytes(4)), sys.byteorder)


def say(text: str) -> None:
    print(text, flush=True)


def play(lines: list[Line], seconds: float) -> None:
    begun_at = time.monotonic()
    for index, line in enumerate(lines):
        # No two devices were switched on at the same moment.
        line.begin(begun_at + index * line.piece_bytes / line.bytes_per_s / len(lines), seconds)
    while not all(line.is_done for line in lines):
        now = time.monotonic()
        for line in lines:
            line.turn(now)
        time.sleep(TURN_S)
    say(json.dumps({"seconds": time.monotonic() - begun_at, "lines": [line.result() for line in lines]}))


def main() -> None:
    lines = [Line(**line) for line in json.loads(sys.stdin.readline())]
    # Nothing else makes hardware wait; who may not ask for that measures what the scheduler does as well.
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
    say("ready")
    for stretch in sys.stdin:
        play(lines, float(stretch))


main()
