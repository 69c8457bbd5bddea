import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { dial } from '../support/peer.ts';
import { serve, start } from '../support/process/command.ts';
import { openDescriptors, residentBytes, waitUntil } from '../support/process/process.ts';

/** Set YODEL_TEST_CONNECTS to 100000 when you change how connections are stored. */
const times = Number(process.env.YODEL_TEST_CONNECTS ?? 20_000);
const mebibyte = 1024 * 1024;

test(`${times.toLocaleString('en')} clients that connect and leave, most of them by a reset, leave no descriptor and no memory behind`, {
  timeout: 120_000,
}, async () => {
  const server = await serve(['--quiet']);
  const witness = await dial(server.port);
  expect(await witness.ask('before')).toBe('before');
  const descriptors = openDescriptors(server.pid);
  const memory = residentBytes(server.pid);

  const floodFile = new URL('./flood.ts', import.meta.url).pathname;
  const flood = start([process.execPath, floodFile, String(server.port), String(times)]);
  let isOver = false;
  const over = flood.saw(/"done":\d+/).finally(() => {
    isOver = true;
  });
  for (let asked = 1; !isOver; asked++) {
    expect(await witness.ask(`meanwhile ${asked}`)).toBe(`meanwhile ${asked}`);
    await Promise.race([over, delay(20)]);
  }
  await over;

  await waitUntil('all descriptors are closed again', () => openDescriptors(server.pid) === descriptors);
  expect(residentBytes(server.pid) - memory).toBeLessThan(150 * mebibyte);
  expect(await witness.ask('after')).toBe('after');
  witness.end();
  await witness.ended;
  const { stderr, status } = await server.stop();
  expect(stderr.replace(/^yodel: draining 1 connection.*\n/m, '')).toBe(`yodel: listening on ${server.address}\n`);
  expect(status).toBe(0);
});
