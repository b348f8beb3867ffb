"""One reader of the stream that notes every checkpoint, and one that opens the stream and never reads.

Config: `port`, `headers`. Answers `{"seq": N}` at its first checkpoint. The order `{"until": SEQ, "seconds": N}` is
answered when a checkpoint covers SEQ: reached (moment or null), checkpoints ([[moment, seq], ...]), connections (how
many it took), slow_reader_dropped.
"""

from __future__ import annotations

import asyncio
import socket
from time import monotonic
from typing import Any

import uvloop

from benchmarks.follow.events import Stream, connect, last_checkpoint, stream_request, until
from benchmarks.follow.orders import answer, config, orders

SMALL_BUFFER = 4096
DRAIN_SECONDS = 5.0
AGAIN_SECONDS = 0.05


class Tracer:
    def __init__(self, told: dict[str, Any]) -> None:
        self._port, self._headers = told["port"], told["headers"]
        self._checkpoints: list[tuple[float, int]] = []
        self._connections = 0

    @property
    def seq(self) -> int:
        return self._checkpoints[-1][1] if self._checkpoints else -1

    async def keep_open(self) -> None:
        """Connects again, very soon, whenever the server cuts it off or does not have it."""
        while True:
            stream = await connect(self._port, self._headers, self._covered)
            self._connections += 1
            while not stream.lost:  # noqa: ASYNC110 - as in `until`
                await asyncio.sleep(0.005)
            await asyncio.sleep(AGAIN_SECONDS)

    async def follow(self, target: int, seconds: float) -> dict[str, object]:
        arrived = await until(lambda: self.seq >= target, seconds)
        reached = next((moment for moment, seq in self._checkpoints if seq >= target), None)
        checkpoints, self._checkpoints = self._checkpoints, self._checkpoints[-1:]
        return {"reached": reached if arrived else None, "checkpoints": checkpoints, "connections": self._connections}

    def _covered(self, stream: Stream, events: bytes) -> None:
        self._checkpoints.append((monotonic(), int(last_checkpoint(events)["seq"])))


class SlowReader:
    """Opens the stream with a small receive buffer and does not read."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(stream_request(port, headers))

    def dropped(self) -> bool:
        """Whether the server has cut it off: then what is left in the buffers comes to an end."""
        deadline = monotonic() + DRAIN_SECONDS
        try:
            while (left := deadline - monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(1 << 20):
                    return True
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return False


async def main() -> None:
    told = config()
    tracer, slow = Tracer(told), SlowReader(told["port"], told["headers"])
    running = asyncio.create_task(tracer.keep_open())
    await until(lambda: tracer.seq >= 0, 20.0)
    answer(seq=tracer.seq)
    waiting = iter(orders())
    while (order := await asyncio.to_thread(next, waiting, None)) is not None:
        traced = await tracer.follow(order["until"], order["seconds"])
        answer(**traced, slow_reader_dropped=await asyncio.to_thread(slow.dropped))
    running.cancel()


if __name__ == "__main__":
    uvloop.run(main())
