/** What a peer learns of errors: nothing of the machine that the server runs on. */
import { expect, it } from 'vitest';
import { type ErrorCode, errorCodes, YodelError } from '../../src/errors.ts';
import { exec } from '../../src/handlers/exec.ts';
import type { SessionJournal } from '../../src/session/journaling.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, serveOneClient } from './harness.ts';

/** Errors whose text says only what the peer did, which limit applies, or what the handler's author wrote for it. */
const toldAsTheyAre: readonly ErrorCode[] = [
  'YODEL_MESSAGE_TOO_LONG',
  'YODEL_INVALID_UTF8',
  'YODEL_INVALID_FRAME',
  'YODEL_UNFINISHED_FRAME',
  'YODEL_UNENCODABLE_MESSAGE',
  'YODEL_UNDECODABLE_MESSAGE',
  'YODEL_IDLE_TIMEOUT',
  'YODEL_MESSAGE_TIMEOUT',
  'YODEL_DRAIN_TIMEOUT',
  'YODEL_TOO_MANY_PENDING_BYTES',
  'YODEL_SHUTDOWN_TIMEOUT',
  'YODEL_RATE_EXCEEDED',
  'YODEL_TOO_MANY_CONNECTIONS',
  'YODEL_ADDRESS_DENIED',
  'YODEL_CONNECTION_RATE',
  'YODEL_INVALID_PROXY_HEADER',
  'YODEL_HANDSHAKE_TIMEOUT',
  'YODEL_TOO_MANY_MESSAGES',
  'YODEL_SHUTTING_DOWN',
  'YODEL_PING_TIMEOUT',
  // Its cause says which server, and why.
  'YODEL_UPSTREAM_FAILED',
  'YODEL_HANDLER_FAILED',
  'YODEL_HANDLER_TIMEOUT',
  'YODEL_INVALID_ROOM',
  'YODEL_TOO_MANY_ROOMS',
  'YODEL_JOIN_RATE',
  'YODEL_ROOM_TAKEN',
  'YODEL_FELL_BEHIND',
  'YODEL_INVALID_POSITION',
];
const secret = '/srv/secret/app.journal';
const codes = Object.keys(errorCodes) as ErrorCode[];

it.each(codes)('%s: the peer receives the text of the error only if it is about the peer', async (code) => {
  const cause = new Error(`at ${secret}:1:2`);
  const reasons: (string | undefined)[] = [];
  const { peer } = await serveOneClient({
    handler: (_, session) => session.close(new YodelError(code, `${secret} failed`, { cause })),
    telemetry: { closed: (_, error) => reasons.push(error?.message) },
  });
  peer.connection.write(Buffer.from('hello\n'));
  await peer.until(() => peer.ended);
  expect(peer.text).toMatch(/^error: .+\n$/);
  expect(peer.text.includes(secret)).toBe(toldAsTheyAre.includes(code));
  peer.connection.end();
  await settled();
  // The log has all of it.
  expect(reasons).toEqual([`${secret} failed`]);
});

it('a journal that cannot take a message names no file to the peer', async () => {
  const refused = new YodelError('YODEL_NOT_RECORDED', `the disk of the journal ${secret} is full`);
  const journal: SessionJournal = {
    append: () => Promise.reject(refused),
    failed: new Promise(() => undefined),
  } as never;
  const harness = await Harness.open({ journal });
  const peer = await harness.connect();
  peer.connection.write(Buffer.from('hello\n'));
  await peer.until(() => peer.size > 0);
  expect(peer.text).toBe('error: the message was not recorded, and not handled; try again later\n');
});

it.each([false, true])(
  'a command that cannot be started is not named to the peer (per message: %s)',
  async (perMessage) => {
    const { peer } = await serveOneClient({ handler: exec(['/srv/secret/no-such-program'], { perMessage }) });
    peer.connection.write(Buffer.from('hello\n'));
    await peer.until(() => peer.size > 0);
    expect(peer.text).toBe('error: the command cannot be started\n');
  },
);
