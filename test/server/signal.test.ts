import { describe, expect, it } from 'vitest';
import { serve } from '../../src/server/server.ts';
import { settled } from '../../src/testing/turns.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import { Harness } from '../session/harness.ts';

const reason = new Error('enough');

describe('a signal', () => {
  it('that is already aborted prevents serving, with its reason', async () => {
    const transport = memoryTransport();
    await expect(serve({ transport, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(transport.connect((await serve({ transport })).addresses[0] as never)).resolves.toBeDefined();
  });

  it('that is aborted while the server starts to listen leaves nothing open', async () => {
    const controller = new AbortController();
    const transport = memoryTransport();
    const listening = Promise.withResolvers<void>();
    const slow = Promise.withResolvers<void>();
    const serving = serve({
      signal: controller.signal,
      transport: {
        ...transport,
        async listen(...all) {
          listening.resolve();
          await slow.promise;
          return transport.listen(...all);
        },
      },
    });
    await listening.promise;
    controller.abort(reason);
    await settled();
    slow.resolve();
    await expect(serving).rejects.toBe(reason);
    await (await serve({ transport })).close();
  });

  it('that is aborted later closes the server as close() does', async () => {
    const controller = new AbortController();
    const harness = await Harness.open({ signal: controller.signal });
    const peer = await harness.connect();
    peer.connection.write(Buffer.from('a\nb\n'));
    controller.abort(reason);
    await settled();
    expect(peer.text).toBe('a\nb\n');
    expect(peer.ended).toBe(true);
    await peer.ends();
    await harness.server.closed;
    await expect(harness.connect()).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
  });

  it('that outlives the server has no listeners left', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    signal.addEventListener = () => void listeners++;
    signal.removeEventListener = () => void listeners--;
    const harness = await Harness.open({ signal });
    expect(listeners).toBe(1);
    await harness.server.close();
    await settled();
    expect(listeners).toBe(0);
  });
});
