import { describe, expect, it } from 'vitest';
import { json } from '../../../src/codec/json.ts';
import type { YodelError } from '../../../src/errors.ts';
import type { Message } from '../../../src/framing/message.ts';
import type { CorrelateById } from '../../../src/requests/correlation.ts';
import { serve } from '../../../src/server/server.ts';
import type { Session } from '../../../src/session/public-session.ts';
import { Peer } from '../../../src/testing/peer.ts';
import { settled } from '../../../src/testing/turns.ts';
import { memoryTransport } from '../../../src/transport/memory.ts';
import { type HarnessOptions, serveOneClient } from '../harness.ts';

/** Requests are `ID text`, replies `=ID text`; what begins with anything else is neither. */
const correlate: CorrelateById = {
  requestId: (message) => /^\d+/.exec(String(message))?.[0],
  replyId: ({ text }) => /^=(\d+)/.exec(text)?.[1],
};

/** A server with one client, and what its handler gets. */
async function served(options: HarnessOptions = {}) {
  const seen: string[] = [];
  const connected = await serveOneClient({ correlate, handler: ({ text }) => void seen.push(text), ...options });
  return { seen, ...connected };
}

/** Sends requests, and keeps how they end. */
function asking(session: Session, ...texts: string[]): string[] {
  const outcomes: string[] = [];
  for (const text of texts) {
    session.request(text).then(
      (reply) => outcomes.push(reply.text),
      (error: YodelError) => outcomes.push(`${text}: ${error.code}`),
    );
  }
  return outcomes;
}

describe('by ids, a request of the session', () => {
  it('is answered by the message with its id, in any order, and the handler gets the others', async () => {
    const { peer, session, seen } = await served();
    const outcomes = asking(session, '1', '2', '3');
    await peer.says('a\n=3\nb\n=1\n=9 unknown\n=2\nc\n');
    expect(outcomes).toEqual(['=3', '=1', '=2']);
    expect(seen).toEqual(['a', 'b', '=9 unknown', 'c']);
  });

  it('is answered after many short messages, which wait for the handler that asks', async () => {
    const { peer } = await served({
      handler: async ({ text }, session) => (text === 'order' ? (await session.request('7 what?')).text : undefined),
    });
    await peer.says('order\n');
    for (let count = 0; count < 1000; count++) await peer.says(`${count % 10}\n`);
    await peer.says('=7 tea\n');
    expect(peer.text).toBe('7 what?\n=7 tea\n');
  });

  it('is answered while the handler is busy, ahead of what waits for it', async () => {
    const seen: string[] = [];
    const { peer } = await served({
      async handler({ text }, session) {
        seen.push(text);
        return text === 'order' ? `ordered ${(await session.request('7 what?')).text}` : text;
      },
    });
    await peer.says('order\nb\nc\n');
    await peer.says('d\ne\n=7 tea\nf\n');
    expect(peer.text).toBe('7 what?\nordered =7 tea\nb\nc\nd\ne\nf\n');
    expect(seen).toEqual(['order', 'b', 'c', 'd', 'e', 'f']);
  });

  it('may be made by both ends at a time: neither waits for the other', async () => {
    const { peer } = await served({
      concurrency: 2,
      replyOrder: 'finished',
      handler: async ({ text }, session) => `=${text} ${(await session.request(`1${text}`)).text}`,
    });
    await peer.says('1\n2\n3\n4\n');
    expect(peer.lines).toEqual(['11', '12']);
    await peer.says('=12 second\n=11 first\n');
    expect(peer.lines).toEqual(['11', '12', '=2 =12 second', '=1 =11 first', '13', '14']);
  });

  it('gets the replies out of batches, and a batch handler the rest as batches', async () => {
    const batches: string[][] = [];
    const { peer, session } = await served({
      handler: { batch: (batch) => void batches.push([...batch].map(String)) },
    });
    const outcomes = asking(session, '1', '2', '3');
    await peer.says('a\nb\n=1\nc\n=2\n=3\nd\ne\n');
    await peer.says('f\n');
    expect(outcomes).toEqual(['=1', '=2', '=3']);
    expect(batches).toEqual([['a', 'b'], ['c'], ['d', 'e'], ['f']]);
  });

  it('sends batches back as they were, without the replies among them', async () => {
    const { peer, session } = await served({ handler: { batch: (batch) => batch }, network: { chunkSize: 7 } });
    const outcomes = asking(session, '1', '2');
    await peer.says('a\r\n=1 reply\nb\nlonger than a chunk\n=2\r\nc\r\n');
    expect(outcomes).toEqual(['=1 reply', '=2']);
    expect(peer.text).toBe('1\n2\na\r\nb\nlonger than a chunk\nc\r\n');
  });

  it('times out, and its late reply does not reach the handler', async () => {
    const { peer, session, seen, harness } = await served({ requestTimeout: 100 });
    const outcomes = asking(session, '1');
    await harness.passes(100);
    await peer.says('a\n=1 late\nb\n');
    expect(outcomes).toEqual(['1: YODEL_REQUEST_TIMEOUT']);
    expect(seen).toEqual(['a', 'b']);
    // Its id is free again.
    const again = asking(session, '1');
    await peer.says('=1 again\n');
    expect(again).toEqual(['=1 again']);
  });

  it('rejects when the client has ended without its reply, whatever still waits for the handler', async () => {
    const slow = Promise.withResolvers<void>();
    const seen: string[] = [];
    const { peer, session } = await served({
      async handler({ text }) {
        seen.push(text);
        await slow.promise;
      },
    });
    const outcomes = asking(session, '1', '2');
    await peer.says('a\nb\n');
    peer.connection.write(Buffer.from('=2\nc\n'));
    peer.connection.end();
    await settled();
    expect(outcomes).toEqual(['=2', '1: YODEL_CONNECTION_CLOSED']);
    slow.resolve();
    await settled();
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(peer.closed).toBe(true);
  });

  it('is refused without an id, or with one that is in use', async () => {
    const { session, peer } = await served();
    await expect(session.request('no id')).rejects.toMatchObject({ code: 'YODEL_INVALID_REQUEST_ID' });
    void session.request('1').catch(() => undefined);
    await expect(session.request('1')).rejects.toMatchObject({ code: 'YODEL_INVALID_REQUEST_ID' });
    await settled();
    expect(peer.text).toBe('1\n');
  });

  it('ends the session if replyId throws, which the client learns nothing of', async () => {
    const failures: string[] = [];
    const { peer, session } = await served({
      correlate: {
        requestId: () => 1,
        replyId: () => {
          throw new Error('secret');
        },
      },
      telemetry: { handlerFailed: (_, error) => failures.push(error.code) },
    });
    const outcomes = asking(session, 'a');
    await peer.says('b\n');
    expect(outcomes).toEqual(['a: YODEL_CORRELATION_FAILED']);
    expect(failures).toEqual(['YODEL_CORRELATION_FAILED']);
    expect(peer.text).toMatch(/^a\nerror: (?!.*secret).*\n$/);
    expect(peer.ended).toBe(true);
    await peer.ends();
  });

  it('does not ask replyId without requests', async () => {
    let asked = 0;
    const { peer, session } = await served({
      correlate: {
        requestId: () => 1,
        replyId: () => {
          asked++;
          return 1;
        },
      },
    });
    await peer.says('a\nb\n');
    expect(asked).toBe(0);
    const outcomes = asking(session, 'x');
    await peer.says('1\n2\n3\n');
    expect(outcomes).toEqual(['1']);
    expect(asked).toBe(1);
  });

  it('stops reading a client that sends too much before its reply', async () => {
    const { peer, session, harness } = await served({
      highWaterMark: 1000,
      network: { chunkSize: 100, capacity: 100 },
      handler: async () => new Promise(() => undefined),
    });
    asking(session, '1');
    await peer.says('x'.repeat(9).concat('\n').repeat(10_000));
    expect(session.bytesReceived).toBeLessThan(5000);
    expect(harness.server.pendingBytes).toBeLessThan(200_000);
    await peer.aborts();
  });

  it('lets others have their turn while it looks through many messages', async () => {
    let now = 0;
    const { peer, session, seen, harness } = await served({
      correlate: {
        requestId: () => 1,
        replyId: ({ text }) => {
          now++;
          return text === 'reply' ? 1 : undefined;
        },
      },
    });
    const clockNow = harness.clock.now.bind(harness.clock);
    harness.clock.now = () => clockNow() + now;
    const outcomes = asking(session, 'a');
    const messages = Array.from({ length: 500 }, (_, number) => `${number}`);
    peer.connection.write(Buffer.from(`${[...messages, 'reply', 'last'].join('\n')}\n`));
    await settled();
    await harness.passes(100);
    expect(outcomes).toEqual(['reply']);
    expect(seen).toEqual([...messages, 'last']);
  });
});

describe('with a codec, a request', () => {
  interface Rpc {
    readonly id?: number;
    readonly method?: string;
    readonly result?: unknown;
  }

  it('takes and gives values, and each message is decoded once', async () => {
    let decoded = 0;
    const codec = json<Rpc>();
    const counting = {
      ...codec,
      decode(message: Message) {
        decoded++;
        return codec.decode(message);
      },
    };
    const transport = memoryTransport();
    const server = await serve({
      transport,
      codec: counting,
      correlate: {
        requestId: (value: unknown) => (value as Rpc).id,
        replyId: (value) => ('method' in value ? undefined : value.id),
      },
      async handler(value, session) {
        const age = await session.request({ id: (value.id ?? 0) + 100, method: 'age' });
        return { id: value.id, result: age.result };
      },
    });
    const peer = new Peer(await transport.connect(server.addresses[0] as never));
    await settled();
    await peer.says('{"id":1,"method":"a"}\n{"id":2,"method":"b"}\n');
    expect(peer.lines).toEqual(['{"id":101,"method":"age"}']);
    await peer.says('{"id":3,"method":"c"}\n{"id":101,"result":36}\nnot JSON\n');
    await peer.says('{"id":102,"result":41}\n');
    await peer.says('{"id":103,"result":85}\n');
    expect(peer.lines.slice(1).filter((line) => line.includes('result'))).toEqual([
      '{"id":1,"result":36}',
      '{"id":2,"result":41}',
      '{"id":3,"result":85}',
    ]);
    expect(peer.text).toContain('error');
    expect(decoded).toBe(7);
    await peer.aborts();
    await server.close({ timeoutMs: 0 });
  });

  it('by order rejects with the reason if its reply is not valid', async () => {
    const { peer, session } = await serveOneClient({ codec: json() as never });
    const reply = session.request({ what: 1 } as never);
    const rejected = expect(reply).rejects.toMatchObject({ code: 'YODEL_UNDECODABLE_MESSAGE' });
    await peer.says('not JSON\n');
    await rejected;
    expect(peer.text).toBe('{"what":1}\n');
  });
});
