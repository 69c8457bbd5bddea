/** The wire vectors of WebSocket: frames of RFC 6455 and of another implementation, in any chunks. */
import { describe, expect, it } from 'vitest';
import { type DecoderOptions, decodeChunk } from '../../../src/framing/framing.ts';
import type { Masking } from '../../../src/framing/websocket/decoder.ts';
import { websocketDecoder } from '../../../src/framing/websocket.ts';
import { type Chunking, cut, inOneChunk } from '../chunking.ts';
import { show } from '../outcome.ts';
import { type WireMessage, wireVectors } from '../wire-vectors/read.ts';

const options: DecoderOptions = { maxMessageLength: 1_048_576, onTooLong: 'close', encoding: 'binary' };
const sizes: readonly Chunking[] = [[1], [2], [3], [7], [64, 1, 2], [4096], inOneChunk];

/** What a decoder reports, in order: messages with their kind, pings, and the end. */
function decoded(bytes: Buffer, masking: Masking, chunking: Chunking): string[] {
  const events: string[] = [];
  const decoder = websocketDecoder(masking, options, {
    pinged: (data) => events.push(`ping ${show(data)}`),
    closed: (code) => events.push(`close ${code}`),
  });
  for (const chunk of cut(bytes, chunking)) {
    // The decoder removes the masks in place.
    for (const batch of decodeChunk(decoder, Buffer.from(chunk))) {
      if (batch.fault) throw batch.fault;
      for (const message of batch) events.push(`${message.kind} ${show(message.bytes)}`);
    }
  }
  expect(decoder.pending).toBe(0);
  return events;
}

function due({ kind, payload }: WireMessage): string[] {
  if (kind === 'pong') return [];
  return [kind === 'close' ? `close ${payload.readUInt16BE(0)}` : `${kind} ${show(payload)}`];
}

/** Control frames are passed on at once, messages at the end of the chunk. */
function apart(events: readonly string[]): { messages: string[]; control: string[] } {
  const isMessage = (event: string) => /^(?:text|binary) /.test(event);
  return { messages: events.filter(isMessage), control: events.filter((event) => !isMessage(event)) };
}

describe.each(wireVectors('websocket'))('WebSocket $direction: $source', ({ direction, bytes, messages }) => {
  const masking = direction === 'requests' ? 'masked' : 'unmasked';

  it.each(sizes)('gives the same messages and control frames in chunks of %s', (...chunking) => {
    const events = apart(decoded(bytes, masking, chunking));
    expect(events).toEqual(apart(messages.flatMap(due)));
  });

  it('gives the same where both sides are accepted, and none where only the other one is', () => {
    expect(apart(decoded(bytes, 'either', inOneChunk))).toEqual(apart(messages.flatMap(due)));
    expect(() => decoded(bytes, masking === 'masked' ? 'unmasked' : 'masked', inOneChunk)).toThrow(/mask/);
  });
});
