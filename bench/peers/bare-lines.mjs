// The minimum of an echo server for lines: finds the end of the last complete line, checks UTF-8 and the message length, and
// buffers an unfinished line. bare-node.mjs and bare-bun.mjs connect it to sockets.
import { isUtf8 } from 'node:buffer';

const newline = 10;
const none = Buffer.alloc(0);

/** The receiving side of one connection. Errors are thrown, with the valid lines before them in `echo`. */
export class Lines {
  #longest;
  /** Buffers an unfinished line. It grows as needed, and is reused once the socket has accepted its contents. */
  #unfinished = none;
  #length = 0;
  #rest;

  constructor(longest) {
    this.#longest = longest;
  }

  /**
   * Takes a chunk and returns the bytes to send back, if there are any: a view into the chunk, or into the connection's own
   * buffer. Call {@link sent} once they are sent or copied.
   */
  take(chunk) {
    const end = chunk.lastIndexOf(newline) + 1;
    if (end === 0) return this.#keep(chunk);
    let lines = end === chunk.length ? chunk : chunk.subarray(0, end);
    if (this.#length > 0) {
      this.#append(lines);
      lines = this.#unfinished.subarray(0, this.#length);
      this.#length = 0;
    }
    if (lines.length > this.#longest || !isUtf8(lines)) this.#check(lines);
    // Buffered only after the lines are sent, because they may be in the same buffer.
    if (end < chunk.length) this.#rest = chunk.subarray(end);
    return lines;
  }

  /** @param isFree whether the bytes that {@link take} returned may be overwritten */
  sent(isFree) {
    if (!isFree) this.#unfinished = none;
    if (this.#rest) this.#keep(this.#rest);
    this.#rest = undefined;
  }

  /** A last line without a newline is a line. */
  end() {
    const line = this.#unfinished.subarray(0, this.#length);
    if (!isUtf8(line)) throw failure('not valid UTF-8', none);
    return line;
  }

  #keep(bytes) {
    if (this.#length + bytes.length > this.#longest) throw failure('a line is too long', none);
    this.#append(bytes);
  }

  #append(bytes) {
    const needed = this.#length + bytes.length;
    if (needed > this.#unfinished.length) {
      const room = Math.max(needed, Math.min(this.#unfinished.length * 4, this.#longest + 1), 64);
      const larger = Buffer.allocUnsafeSlow(room);
      this.#unfinished.copy(larger, 0, 0, this.#length);
      this.#unfinished = larger;
    }
    this.#unfinished.set(bytes, this.#length);
    this.#length = needed;
  }

  /** Checks line by line, only after an error was found. */
  #check(lines) {
    for (let start = 0; start < lines.length; ) {
      const end = lines.indexOf(newline, start);
      const good = lines.subarray(0, start);
      if (end - start > this.#longest) throw failure('a line is too long', good);
      if (!isUtf8(lines.subarray(start, end))) throw failure('not valid UTF-8', good);
      start = end + 1;
    }
  }
}

function failure(message, echo) {
  return Object.assign(new Error(message), { echo });
}
