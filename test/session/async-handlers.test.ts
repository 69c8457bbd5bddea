import { describe, expect, it } from 'vitest';
import type { Reply } from '../../src/codec/reply.ts';
import type { Message } from '../../src/framing/message.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, serveOneClient } from './harness.ts';

/** A handler whose replies the test controls. */
class Slow {
  readonly seen: string[] = [];
  readonly #pending = new Map<string, PromiseWithResolvers<Reply>>();

  message(message: Message): Promise<Reply> {
    this.seen.push(message.text);
    const reply = Promise.withResolvers<Reply>();
    this.#pending.set(message.text, reply);
    return reply.promise;
  }

  async replies(to: string): Promise<void> {
    this.#pending.get(to)?.resolve(`re: ${to}`);
    await settled();
  }
}

describe('an asynchronous handler', () => {
  it('gets the next message when it has answered the previous one', async () => {
    const handler = new Slow();
    const { peer } = await serveOneClient({ handler });
    await peer.says('a\nb\nc\n');
    expect(handler.seen).toEqual(['a']);
    await handler.replies('a');
    expect(handler.seen).toEqual(['a', 'b']);
    expect(peer.text).toBe('re: a\n');
    await handler.replies('b');
    await handler.replies('c');
    expect(peer.text).toBe('re: a\nre: b\nre: c\n');
  });

  it('keeps the order of messages that arrive while it is busy', async () => {
    const handler = new Slow();
    const { peer } = await serveOneClient({ handler, network: { chunkSize: 3 } });
    await peer.says('a\n');
    await peer.says('b\nc');
    await peer.says('c\ndd\n');
    for (const message of ['a', 'b', 'cc', 'dd']) await handler.replies(message);
    expect(peer.text).toBe('re: a\nre: b\nre: cc\nre: dd\n');
  });

  it('keeps the order if some replies are ready at once', async () => {
    const slow = Promise.withResolvers<Reply>();
    const { peer } = await serveOneClient({
      handler: ({ text }) => (text === 'slow' ? slow.promise : text === 'soon' ? Promise.resolve(text) : text),
    });
    await peer.says('a\nsoon\nslow\nb\nsoon\n');
    expect(peer.text).toBe('a\nsoon\n');
    slow.resolve('slow');
    await settled();
    expect(peer.text).toBe('a\nsoon\nslow\nb\nsoon\n');
  });

  it('does not delay other sessions', async () => {
    const handler = new Slow();
    const harness = await Harness.open({ handler });
    const [one, two] = [await harness.connect(), await harness.connect()];
    await one.says('one\n');
    await two.says('two\n');
    await handler.replies('two');
    expect([one.text, two.text]).toEqual(['', 're: two\n']);
  });

  it('gets whole batches one after another', async () => {
    const first = Promise.withResolvers<void>();
    const seen: string[] = [];
    const { peer } = await serveOneClient({
      handler: {
        async batch(batch) {
          seen.push([...batch].join());
          if (seen.length === 1) await first.promise;
          return `${batch.count} messages`;
        },
      },
    });
    await peer.says('a\nb\n');
    await peer.says('c\n');
    await peer.says('d\ne\nf\n');
    expect(seen).toEqual(['a,b']);
    first.resolve();
    await settled();
    expect(seen).toEqual(['a,b', 'c', 'd,e,f']);
    expect(peer.text).toBe('2 messages\n1 messages\n3 messages\n');
  });

  it('may return anything that has a `then`', async () => {
    // Query builders are like this: awaitable, but not promises, and some resolve at once.
    const { peer } = await serveOneClient({
      // biome-ignore lint/suspicious/noThenProperty: it is what is tested
      handler: ({ text }) => ({ then: (resolve: (reply: string) => void) => resolve(text) }) as Promise<string>,
    });
    const input = 'line\n'.repeat(20_000);
    expect((await peer.says(input)) === input).toBe(true);
  });

  it('is ignored when its session is over', async () => {
    const handler = new Slow();
    const { peer, harness } = await serveOneClient({ handler });
    await peer.says('a\nb\n');
    await peer.aborts();
    await handler.replies('a');
    expect(handler.seen).toEqual(['a']);
    expect(harness.writes).toEqual([]);
  });
});
