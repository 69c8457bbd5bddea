// What an echo server of lines cannot leave out, and nothing else: it finds the end of the last whole line, checks UTF-8 and the
// longest message, and keeps what is unfinished. bare-node.mjs and bare-bun.mjs put it on a socket.
import { isUtf8 } from 'node:buffer';

const newline = 10;
const none = Buffer.alloc(0);

/** The receiving side of one connection. Whatever is wrong is thrown as an Error, with the good lines before it in `echo`. */
export class Lines {
  #longest;
  /** Grows with what has come, and is used again once the socket has taken what was in it. */
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
    // Kept only after the lines are sent, for they may be where it goes.
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

  /** Line by line, as seldom as it is needed. */
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
