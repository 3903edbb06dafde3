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
import weakref
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Final

import numpy as np

from evervec.providers.base import ProviderError
from evervec.providers.offline import encoded, encoder_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evervec.providers.base import Vectors

# Characters of a piece of work, which takes a core about 20 ms to 0.7 s. The first piece of each
# process is most of its share, so that little is paid twice (a call costs as much as 200
# characters); the last ones are small, so that all processes end together.
_PIECE_LEAST: Final = 1_200
_PIECE_MOST: Final = 50_000
_SHARES_A_PROCESS: Final = 1.25

# How long a process may take for a piece, its start included. Then it hangs.
_PATIENCE_SECONDS: Final = 60.0

# A piece that two processes died of will kill the third.
_MOST_DEATHS: Final = 2

_END_SECONDS: Final = 1.0

# More threads than one would only take the cores of the other processes.
_LIBRARIES: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Pool:
    """At most `size` processes of one offline model, started when there is work for them.

    May be used by several threads: no process waits while any of their requests has work.
    """

    def __init__(self, module: str, size: int) -> None:
        self._module = module
        self._size = size
        # Each thread has a process of its own, and waits for it.
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="evervec-pool")
        self._mine = threading.local()
        self._children: set[_Child] = set()
        # At the end of this process, too.
        self.close = weakref.finalize(self, _end, self._threads, self._children)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, shape (len(texts), dimensions).

        Raises ProviderError: of class bad_input what the model says; server_error when processes
        die of it; timeout.
        """
        return np.concatenate(list(self._threads.map(self._encode, _pieces(texts, self._size))))

    def _encode(self, texts: list[str]) -> Vectors:
        for _ in range(_MOST_DEATHS):
            child: _Child | None = getattr(self._mine, "child", None)
            if child is None:
                child = self._mine.child = _Child(self._module)
                self._children.add(child)
            try:
                answer = child.ask(texts)
            except (EOFError, OSError) as error:
                self._mine.child = None
                self._children.discard(child)
                code = child.kill()
                if isinstance(error, TimeoutError):
                    raise ProviderError(
                        "timeout", "a process of the offline model does not answer"
                    ) from error
                continue
            if isinstance(answer, str):
                raise ProviderError("bad_input", answer)
            return answer
        raise ProviderError(
            "server_error", f"processes of the offline model died at work (exit code {code})"
        )


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
        self._connection = Connection(ours.detach())

    def ask(self, texts: list[str]) -> Vectors | str:
        """The vectors, or why there are none. Raises EOFError or OSError when the process is dead,
        of that kind TimeoutError when it hangs.
        """
        self._connection.send(texts)
        if not self._connection.poll(_PATIENCE_SECONDS):
            raise TimeoutError
        answer: Vectors | str = self._connection.recv()
        return answer

    def kill(self) -> int:
        """End it at once; its exit code."""
        self._connection.close()
        self._process.kill()
        return self._process.wait()

    def let_go(self) -> None:
        """Tell it to end: nobody is at the other end of the socket any more."""
        self._connection.close()

    def end(self) -> None:
        """See that it has ended."""
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _pieces(texts: Sequence[str], processes: int) -> list[list[str]]:
    """The texts in order, cut into pieces that become smaller."""
    pieces: list[list[str]] = []
    left = sum(map(len, texts))
    room = 0
    for text in texts:
        if room <= 0:
            pieces.append([])
            share = round(left / (processes * _SHARES_A_PROCESS))
            room = min(max(share, _PIECE_LEAST), _PIECE_MOST)
        pieces[-1].append(text)
        room -= len(text)
        left -= len(text)
    return pieces


def _end(threads: ThreadPoolExecutor, children: set[_Child]) -> None:
    threads.shutdown(cancel_futures=True)
    for child in children:
        child.let_go()
    for child in children:
        child.end()


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
