"""A door before a server of this machine, which a test can shut: `python -m tests.door PORT SERVER_PORT`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

PIECE = 1 << 18


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def main(port: int, server_port: int) -> None:
    async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server_port)
        await asyncio.gather(carry(reader, back), carry(there, writer))

    server = await asyncio.start_server(let_in, "127.0.0.1", port)
    print("open", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
