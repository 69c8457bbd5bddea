import { describe, expect, it } from 'vitest';
import { length } from '../../src/framing/counted/length.ts';
import { chargen } from '../../src/handlers/chargen.ts';
import { discard } from '../../src/handlers/discard.ts';
import { echo } from '../../src/handlers/echo.ts';
import { handlersByName } from '../../src/handlers/handlers.ts';
import { time } from '../../src/handlers/time.ts';
import { resolveHandler } from '../../src/session/handler.ts';
import { settled } from '../../src/testing/turns.ts';
import { serveOneClient } from '../session/harness.ts';

describe('echo', () => {
  it('sends every message back', async () => {
    const { peer, session } = await serveOneClient({ handler: echo });
    expect(await peer.says('a\nb\r\n\n')).toBe('a\nb\r\n\n');
    expect(session.messagesSent).toBe(3);
  });

  it('is the default', async () => {
    const { peer } = await serveOneClient();
    expect(await peer.says('a\n')).toBe('a\n');
  });
});

describe('discard', () => {
  it('discards every message', async () => {
    const { peer, session } = await serveOneClient({ handler: discard });
    expect(await peer.says('a\nb\n'.repeat(1000))).toBe('');
    expect(session.messagesReceived).toBe(2000);
    expect(await peer.ends()).toBe('');
    expect(peer.closed).toBe(true);
  });
});

describe('time', () => {
  it('sends the time without a request, and ends (RFC 867)', async () => {
    const before = Date.now();
    const { peer } = await serveOneClient({ handler: time });
    expect(peer.text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$/);
    expect(Date.parse(peer.text.trim())).toBeGreaterThanOrEqual(before);
    expect(peer.ended).toBe(true);
    expect(await peer.ends()).toBe('');
  });
});

describe('chargen', () => {
  it('sends the pattern of RFC 864 as fast as it is read, and discards what it receives', async () => {
    const { peer, session } = await serveOneClient({ handler: chargen, network: { capacity: 10_000 } });
    await peer.until(() => peer.size > 50_000);
    const lines = peer.text.split('\r\n');
    expect(lines[0]).toBe(' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg');
    expect(lines[1]).toBe('!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh');
    expect(lines[95]).toBe(lines[0]);
    expect(lines.slice(0, 200).every((line) => /^[ -~]{72}$/.test(line))).toBe(true);
    peer.connection.write(Buffer.from('quiet!\n'));
    peer.connection.pause();
    await settled();
    const { bytesSent } = session;
    await settled();
    expect(session.bytesSent).toBe(bytesSent);
    await peer.aborts();
  });

  it('sends messages with framings other than lines', async () => {
    const { peer } = await serveOneClient({
      handler: chargen,
      framing: length({ bytes: 1 }),
      network: { capacity: 1000 },
    });
    expect(peer.received.subarray(0, 75).toString()).toBe(`H${peer.received.toString('latin1', 1, 73)}H!`);
    await peer.aborts();
  });
});

describe('the named handlers', () => {
  it('are echo, discard, time, chargen and chat', () => {
    expect(Object.keys(handlersByName)).toEqual(['echo', 'discard', 'time', 'chargen', 'chat']);
    expect(handlersByName.echo?.handler).toBe(echo);
    expect(handlersByName.discard?.handler).toBe(discard);
  });

  it.each(Object.entries(handlersByName))('%s is a handler with a summary', (_, { handler, summary }) => {
    expect(resolveHandler(handler)).toBe(handler);
    expect(summary).toMatch(/^[a-z].*[^.]$/);
  });
});
