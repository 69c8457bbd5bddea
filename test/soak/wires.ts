/** What a client writes and reads, without any code of yodel: lines, and WebSocket. */
import { upgradeRequest } from '../support/upgrade-request.ts';
import type { Random } from './random.ts';

/** One connection's way to write and read messages. */
export interface Wire {
  /** What a client sends before its first message. */
  readonly greeting: Buffer;
  encode(text: string, random: Random): Buffer;
  /** The beginning of a message that is never finished. */
  begin(text: string): Buffer;
  /** What is sent before FIN. */
  readonly farewell: Buffer;
  /** The messages that this chunk completes. A message that begins with `error: ` ends the connection. */
  read(chunk: Buffer, answer: (bytes: Buffer) => void): string[];
  /** What is left at the end: an unfinished message, if any. */
  rest(): string;
}

const nothing = Buffer.alloc(0);

/** Messages that end with a newline. */
export class LineWire implements Wire {
  readonly greeting = nothing;
  readonly farewell = nothing;
  #rest = nothing;

  encode(text: string): Buffer {
    return Buffer.from(`${text}\n`);
  }

  begin(text: string): Buffer {
    return Buffer.from(text);
  }

  read(chunk: Buffer): string[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: string[] = [];
    let from = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, from)) {
      messages.push(bytes.toString('utf8', from, end));
      from = end + 1;
    }
    this.#rest = Buffer.from(bytes.subarray(from));
    return messages;
  }

  rest(): string {
    return this.#rest.toString();
  }
}

const text = 1;
const close = 8;
const ping = 9;
const pong = 10;

/** Text messages of WebSocket, some of them in fragments, with a ping in between. */
export class WebSocketWire implements Wire {
  readonly greeting: Buffer;
  readonly farewell: Buffer = masked(0x80 | close, Buffer.of(1000 >> 8, 1000 & 255));
  #isOpen = false;
  #bytes = nothing;
  #fragments: Buffer[] = [];
  /** The close frame repeats an error that was sent as a message. */
  #hasError = false;

  constructor(port: number) {
    this.greeting = Buffer.from(upgradeRequest(port));
  }

  encode(message: string, random: Random): Buffer {
    const payload = Buffer.from(message);
    if (random.chance(0.7)) return masked(0x80 | text, payload);
    const middle = random.between(0, payload.length);
    return Buffer.concat([
      masked(text, payload.subarray(0, middle)),
      random.chance(0.5) ? masked(0x80 | ping, nothing) : nothing,
      masked(0x80, payload.subarray(middle)),
    ]);
  }

  begin(message: string): Buffer {
    return masked(text, Buffer.from(message));
  }

  read(chunk: Buffer, answer: (bytes: Buffer) => void): string[] {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#isOpen && !this.#takeAnswer()) return [];
    const messages: string[] = [];
    for (let frame = this.#takeFrame(); frame; frame = this.#takeFrame()) {
      const { first, payload } = frame;
      const opcode = first & 15;
      if (opcode === ping) answer(masked(0x80 | pong, payload));
      else if (opcode === close && !this.#hasError) messages.push(...errorOf(payload));
      else if (opcode === close) continue;
      else if (opcode !== pong) messages.push(...this.#add(first, payload));
    }
    return messages;
  }

  rest(): string {
    return this.#bytes.toString('latin1');
  }

  #takeAnswer(): boolean {
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end === -1) return false;
    const head = this.#bytes.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`the handshake was answered with ${head}`);
    this.#bytes = this.#bytes.subarray(end + 4);
    this.#isOpen = true;
    return true;
  }

  #takeFrame(): { first: number; payload: Buffer } | undefined {
    const [first, short = 0] = this.#bytes;
    if (first === undefined || this.#bytes.length < 2) return undefined;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#bytes.length < head) return undefined;
    const length = head === 2 ? short : head === 4 ? this.#bytes.readUInt16BE(2) : this.#bytes.readUInt32BE(6);
    if (this.#bytes.length < head + length) return undefined;
    const payload = this.#bytes.subarray(head, head + length);
    this.#bytes = this.#bytes.subarray(head + length);
    return { first, payload };
  }

  #add(first: number, payload: Buffer): string[] {
    this.#fragments.push(payload);
    if ((first & 0x80) === 0) return [];
    const whole = Buffer.concat(this.#fragments).toString();
    this.#fragments = [];
    this.#hasError = whole.startsWith('error: ');
    return [whole];
  }
}

/** The reason of a close frame, unless it is a normal end. */
function errorOf(payload: Buffer): string[] {
  const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
  return code === 1000 || code === 1001 ? [] : [`error: ${code} ${payload.toString('utf8', 2)}`];
}

/** A frame of a client, with a mask of zeros. */
function masked(first: number, payload: Buffer): Buffer {
  const mask = Buffer.alloc(4);
  if (payload.length < 126) return Buffer.concat([Buffer.of(first, 0x80 | payload.length), mask, payload]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(payload.length);
  return Buffer.concat([Buffer.of(first, 0x80 | 126), length, mask, payload]);
}
