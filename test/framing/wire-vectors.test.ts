/** The wire vectors themselves: their bytes are what their messages make, by the rules of each protocol. */
import { describe, expect, it } from 'vitest';
import { assemble } from './wire-vectors/assemble.ts';
import { bytesOf, wireConversations, wireVectors } from './wire-vectors/read.ts';

describe.each(wireVectors())('$protocol $direction: $source', (vector) => {
  it('has the bytes that its headers and payloads make', () => {
    const made = assemble(vector);
    const differs = made.findIndex((byte, index) => byte !== vector.bytes[index]);
    expect({ length: made.length, differs }).toEqual({ length: vector.bytes.length, differs: -1 });
    expect(vector.messages.length).toBeGreaterThan(0);
  });
});

describe('the notation of bytes', () => {
  it('has hex, quoted text and repetitions', () => {
    expect(bytesOf("0d0a 'a b'*2 ff*3 0102*2")).toEqual(
      Buffer.from('\r\na ba b\xff\xff\xff\x01\x02\x01\x02', 'latin1'),
    );
    expect(bytesOf('')).toEqual(Buffer.alloc(0));
    expect(() => bytesOf('0')).toThrow('not bytes: 0');
    expect(() => bytesOf("00 'open")).toThrow("not bytes:  'open");
  });
});

describe.each(wireConversations())('$protocol, $name', ({ requests, replies }) => {
  it('numbers the messages of each direction in their order, and no two alike', () => {
    const [there, back] = [requests, replies].map((vector) => vector?.messages.map(({ turn }) => turn ?? -1) ?? []);
    for (const turns of [there, back]) expect(turns).toEqual([...(turns ?? [])].sort((a, b) => a - b));
    const all = [...(there ?? []), ...(back ?? [])];
    expect(all.length - new Set(all).size).toBe(0);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
  });
});
