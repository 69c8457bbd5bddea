/** The input of an exchange, in messages. */
import { fstatSync, readFileSync } from 'node:fs';
import { YodelError } from '../../errors.ts';
import { type Decoder, decodeChunk } from '../../framing/framing.ts';
import type { Message } from '../../framing/message.ts';

/** When the server ends first: how long to wait for the end of input, which may not have been read yet, in milliseconds. */
const longestGraceMs = 2000;

/** The same, with `--wait` (0: no limit). */
export function inputGrace(waitMs: number): number {
  return waitMs === 0 ? longestGraceMs : Math.min(waitMs, longestGraceMs);
}

/** The bytes of stdin that are still to be read, where it is a regular file and the operating system tells its position (Linux). */
export function sizeOfInput(): number | undefined {
  try {
    const input = fstatSync(0);
    if (!input.isFile()) return undefined;
    const position = /^pos:\s*(\d+)$/m.exec(readFileSync('/proc/self/fdinfo/0', 'latin1'))?.[1];
    return position === undefined ? undefined : input.size - Number(position);
  } catch {
    return undefined;
  }
}

/**
 * The input in pieces of at most a line: where the replies determine how the input is framed, such as a text after a granted DATA,
 * it is decoded no further than it is sent.
 */
export async function* linesIn(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of input) {
    for (let at = 0; at < chunk.length; ) {
      const end = chunk.indexOf(0x0a, at) + 1 || chunk.length;
      yield chunk.subarray(at, end);
      at = end;
    }
  }
}

/** @throws YodelError for an input that is not in the framing */
export async function* messagesOf(decoder: Decoder, input: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  for await (const chunk of input) {
    for (const batch of decodeChunk(decoder, chunk)) {
      yield* batch;
      if (batch.fault) throw ofInput(batch.fault);
    }
  }
  const last = decoder.end();
  yield* last;
  if (last.fault) throw ofInput(last.fault);
}

/** Says that the fault is in the input, not in what the server sent. */
export function ofInput({ code, message }: YodelError): YodelError {
  return new YodelError(code, `stdin: ${message}`);
}

/** Messages that are given, as those of an input. */
export async function* each(messages: readonly Message[] | AsyncIterable<Message>): AsyncGenerator<Message> {
  yield* messages;
}
