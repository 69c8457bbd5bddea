/** Values between a server and a client, over framings that have little in common. */

import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { connect } from '../../src/client/connect.ts';
import type { Codec } from '../../src/codec/codec.ts';
import { json } from '../../src/codec/json.ts';
import { encodeValue } from '../../src/codec/values.ts';
import type { FramingText } from '../../src/framing/notation.ts';
import { Harness, type HarnessOptions } from '../session/harness.ts';
import { fc } from '../support/fast-check.ts';
import { hasUnsafeKey, safeJson } from './values.ts';

const framings = [
  'lines',
  'length:4',
  'length:varint',
  'netstring',
  'slip',
  'cobs',
  'delimiter:\\0',
  'headers',
] as const;

/** A server that sends back what it receives, and a client that gives and gets values. */
async function meet(options: { framing?: FramingText; network?: { chunkSize: number } }): Promise<Client<Codec>> {
  const harness = await Harness.open({ codec: json(), ...options } as unknown as HarnessOptions);
  const { transport, clock } = harness;
  return connect(harness.address, {
    codec: json(),
    transport,
    clock,
    ...(options.framing && { framing: options.framing }),
  });
}

describe.each(framings)('over %s', (framing) => {
  it('any value that either end sends arrives equal, in any chunks', async () => {
    const client = await meet({ framing, network: { chunkSize: 7 } });
    await fc.assert(
      fc.asyncProperty(fc.array(safeJson, { minLength: 1, maxLength: 5 }), async (values) => {
        expect(await Promise.all(values.map((value) => client.request(value)))).toEqual(values);
      }),
      { numRuns: 30 },
    );
    client.abort();
  });
});

describe('any bytes', () => {
  it('are a value or get one error reply, and the connection goes on', async () => {
    const harness = await Harness.open({ codec: json(), framing: 'length:4' } as unknown as HarnessOptions);
    const { transport, clock } = harness;
    const client = await connect(harness.address, { framing: 'length:4', transport, clock });
    const bytes = fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from), fc.string().map(Buffer.from));
    await fc.assert(
      fc.asyncProperty(bytes, async (payload) => {
        const { text } = await client.request(payload);
        const value: unknown = JSON.parse(text);
        const sent = parsed(payload);
        if (sent === undefined) expect(value).toEqual({ error: expect.stringMatching(/^invalid message: /) });
        else expect(JSON.stringify(value)).toBe(JSON.stringify(sent));
        expect(client.state).toBe('open');
      }),
      { numRuns: 200 },
    );
    client.abort();
  });
});

/** What the bytes mean; undefined if that is no JSON, or JSON that `json()` refuses. */
function parsed(payload: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload));
    return hasUnsafeKey(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** What programs throw that has no text, or none that is text. */
const oddities: [string, unknown][] = [
  ['an object without a prototype', Object.create(null)],
  ['an error whose message is a number', Object.assign(new Error('no'), { message: 42 })],
  [
    'an error whose message throws',
    Object.defineProperty(new Error('no'), 'message', {
      get() {
        throw new Error('trap');
      },
    }),
  ],
  ['a symbol', Symbol('no')],
  ['nothing', undefined],
];

describe.each(oddities)('a codec that throws %s', (_, thrown) => {
  const fails = () => {
    throw thrown;
  };
  const refusing: Codec = { name: 'odd', decode: fails, encode: String };

  it('refuses a message', async () => {
    const harness = await Harness.open({ codec: refusing } as unknown as HarnessOptions);
    const peer = await harness.connect();
    expect(await peer.says('a\n')).toMatch(/^error: invalid message.*\n$/);
  });

  it('refuses a value', () => {
    expect(() => encodeValue({ ...refusing, encode: fails }, 1)).toThrow('the codec odd cannot encode the value: ');
  });

  it('rejects the request of a client', async () => {
    const { address, transport, clock } = await Harness.open();
    const client = await connect(address, { codec: refusing, transport, clock });
    await expect(client.request('a')).rejects.toMatchObject({ code: 'YODEL_UNDECODABLE_MESSAGE' });
    client.abort();
  });
});
