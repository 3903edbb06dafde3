"""Processes that compute an offline model, so that every core does.

Plain child processes at the end of a socket, not multiprocessing: they import nothing of the
program that started them, and end by themselves when it is gone, even by SIGKILL.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter, deque
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Final

import numpy as np

from evervec.providers.base import ProviderError
from evervec.providers.offline import encoded, encoder_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evervec.providers.base import Vectors

# Characters of a piece of work: small enough that all end at about the same time, large enough that
# passing them on costs nothing. About 15 ms to 0.7 s for a core.
_PIECE_LEAST: Final = 1_000
_PIECE_MOST: Final = 50_000
_PIECES_A_PROCESS: Final = 4

# How long a process may take for a piece, its start included. Then it hangs.
_PATIENCE_SECONDS: Final = 60.0

# A piece that two processes died of will kill the third.
_MOST_DEATHS: Final = 2

_END_SECONDS: Final = 1.0

# More threads than one would only take the cores of the other processes.
_LIBRARIES: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Pool:
    """At most `size` processes of one offline model, started when there is work for them.

    May be used by several threads: one request after the other, each by all processes.
    """

    def __init__(self, module: str, size: int) -> None:
        self._module = module
        self._size = size
        self._children: list[_Child] = []
        self._lock = threading.Lock()
        # At the end of this process, too.
        self.close = weakref.finalize(self, _end, self._children)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, shape (len(texts), dimensions).

        Raises ProviderError: of class bad_input what the model says; server_error when processes
        die of it; timeout.
        """
        pieces = _pieces(texts, self._size)
        with self._lock:
            while len(self._children) < min(self._size, len(pieces)):
                self._children.append(_Child(self._module))
            return np.concatenate(self._shared_out(pieces))

    def _shared_out(self, pieces: list[list[str]]) -> list[Vectors]:
        """Each process takes the next piece when it is done with one."""
        done: dict[int, Vectors] = {}
        deaths: Counter[int] = Counter()
        waiting = deque(range(len(pieces)))
        idle = list(self._children)
        busy: dict[_Child, int] = {}
        error: ProviderError | None = None
        try:
            while busy or (waiting and error is None):
                while waiting and idle and error is None:
                    child, number = idle.pop(), waiting.popleft()
                    busy[child] = number
                    child.give(pieces[number])
                for child in _ready(busy):
                    number = busy.pop(child)
                    answer = child.take()
                    if answer is None:
                        deaths[number] += 1
                        code = self._bury(child)
                        waiting.append(number)
                        child = _Child(self._module)
                        self._children.append(child)
                    idle.append(child)
                    if isinstance(answer, str):
                        error = ProviderError("bad_input", answer)
                    elif answer is not None:
                        done[number] = answer
                    elif deaths[number] >= _MOST_DEATHS:
                        error = ProviderError(
                            "server_error",
                            f"processes of the offline model died at work (exit code {code})",
                        )
        finally:
            # Only when one hangs: what they are at would be taken for answers to the next request.
            for child in busy:
                self._bury(child)
        if error is not None:
            raise error
        return [done[number] for number in range(len(pieces))]

    def _bury(self, child: _Child) -> int:
        self._children.remove(child)
        return child.kill()


class _Child:
    """One process, with at most one piece of work."""

    def __init__(self, module: str) -> None:
        ours, theirs = socket.socketpair()
        # A stopped process neither reads on nor writes on: then neither do we.
        limit = struct.pack("ll", int(_PATIENCE_SECONDS), 0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        secrets = ("EVERVEC_", "OPENAI_", "PG")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), module],
                pass_fds=[theirs.fileno()],
                env={k: v for k, v in os.environ.items() if not k.startswith(secrets)}
                | dict.fromkeys(_LIBRARIES, "1")
                | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # the log has lines of one shape
                start_new_session=True,  # Ctrl-C is for the one who gives the work
            )
        self.connection = Connection(ours.detach())
        self.deadline = 0.0

    def give(self, texts: list[str]) -> None:
        """Work. That the process is dead shows in `take`."""
        self.deadline = time.monotonic() + _PATIENCE_SECONDS
        try:
            self.connection.send(texts)
        except OSError:
            self._process.kill()

    def take(self) -> Vectors | str | None:
        """The vectors, or why there are none; None when the process is dead."""
        try:
            answer: Vectors | str = self.connection.recv()
        except (EOFError, OSError):
            return None
        return answer

    def kill(self) -> int:
        """End it at once; its exit code."""
        self.connection.close()
        self._process.kill()
        return self._process.wait()

    def end(self) -> None:
        """End it: it sees that nobody is at the other end of the socket."""
        self.connection.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _ready(busy: dict[_Child, int]) -> list[_Child]:
    """Those of which there is news; at least one. Raises ProviderError when it takes too long."""
    by_connection = {child.connection: child for child in busy}
    left = min(child.deadline for child in busy) - time.monotonic()
    ready = wait(list(by_connection), max(left, 0.0))
    if not ready:
        raise ProviderError("timeout", "a process of the offline model does not answer")
    return [by_connection[connection] for connection in ready]  # type: ignore[index]


def _pieces(texts: Sequence[str], processes: int) -> list[list[str]]:
    """The texts in order, cut into pieces of about the same number of characters."""
    total = sum(map(len, texts))
    wanted = min(max(total // (processes * _PIECES_A_PROCESS), _PIECE_LEAST), _PIECE_MOST)
    pieces: list[list[str]] = [[]]
    characters = 0
    for text in texts:
        if characters >= wanted:
            pieces.append([])
            characters = 0
        pieces[-1].append(text)
        characters += len(text)
    return pieces


def _end(children: list[_Child]) -> None:
    for child in children:
        child.connection.close()  # all at once, then wait for each
    for child in children:
        child.end()
    children.clear()


def main() -> None:
    """The process: FD MODULE. Works until the other end of the socket is closed."""
    # A service manager signals every process; the one that gives the work decides about its end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    connection = Connection(int(sys.argv[1]))
    try:
        encode = encoder_of(sys.argv[2]).load()
        while True:
            texts = connection.recv()
            try:
                connection.send(encoded(encode, texts))
            except ProviderError as error:
                connection.send(error.message)
    except (EOFError, OSError):
        pass


if __name__ == "__main__":
    main()
