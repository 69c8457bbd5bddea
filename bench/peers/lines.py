"""asyncio on uvloop: lines, UTF-8 checked, a limit on their length, one write for what one read completed.

usage: lines.py PORT [echo|upper|upper-async] [LONGEST LINE]
"""

import asyncio
import sys

import uvloop

longest = 65536


def echo(line):
    return line


def upper(line):
    return line.upper()


async def upper_async(line):
    return line.upper()


class Lines(asyncio.Protocol):
    """Answers each line with what the handler makes of it."""

    def __init__(self, handle):
        self.handle = handle
        self.unfinished = bytearray()

    def connection_made(self, transport):
        self.transport = transport

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()

    def data_received(self, data):
        end = data.rfind(b"\n") + 1
        if end == 0:
            self.unfinished += data
            if len(self.unfinished) > longest:
                self.transport.abort()
            return
        complete = data[:end]
        if self.unfinished:
            complete = self.unfinished + complete
            self.unfinished = bytearray()
        if end < len(data):
            self.unfinished += data[end:]
        try:
            lines = complete.decode().split("\n")
        except UnicodeDecodeError:
            self.transport.abort()
            return
        # The last element is empty, which ends the last reply with LF.
        replies = [self.handle(line) for line in lines[:-1]]
        replies.append("")
        self.transport.write("\n".join(replies).encode())


async def converse(reader, writer):
    """The same with streams: a handler that is awaited cannot be called from a protocol."""
    try:
        while line := await reader.readline():
            writer.write((await upper_async(line.decode())).encode())
            await writer.drain()
    except (ConnectionError, UnicodeDecodeError, ValueError) as error:
        print("a client failed:", error, file=sys.stderr)
    writer.close()


async def main(port, mode="echo"):
    loop = asyncio.get_running_loop()
    if mode == "upper-async":
        server = await asyncio.start_server(converse, "127.0.0.1", port, limit=longest)
    else:
        handle = upper if mode == "upper" else echo
        server = await loop.create_server(lambda: Lines(handle), "127.0.0.1", port)
    await server.serve_forever()


if len(sys.argv) > 3:
    longest = int(sys.argv[3])
uvloop.install()
asyncio.run(main(int(sys.argv[1]), *sys.argv[2:3]))
