/** The time of day jumps: after a suspend, by NTP, or by hand. Time-outs do not depend on it. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { temporaryFile } from '../support/files.ts';
import { dial } from '../support/peer.ts';
import { serve } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

/** The form for programs with threads. */
const library = ['/usr/lib', '/usr/lib64']
  .filter(existsSync)
  .flatMap((folder) => [folder, ...readdirSync(folder).map((name) => `${folder}/${name}`)])
  .map((folder) => `${folder}/faketime/libfaketimeMT.so.1`)
  .find(existsSync);

const testWithFakeTime = testWith([], 'apt-get install faketime', {
  unless: library === undefined ? 'libfaketime' : undefined,
});

testWithFakeTime('when the time of day jumps by days, no session ends, and every message is answered', async () => {
  const time = temporaryFile('time', '+0');
  const server = await serve(['--json'], {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: time,
      FAKETIME_NO_CACHE: '1',
      // As on a real machine, a jump changes the time of day only.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      YODEL_LOG_FORMAT: 'json',
    },
  });
  const idle = await Promise.all(Array.from({ length: 20 }, () => dial(server.port)));
  const unfinished = await Promise.all(Array.from({ length: 20 }, () => dial(server.port)));
  for (const peer of [...idle, ...unfinished]) expect(await peer.ask('before')).toBe('before');
  for (const [jump, days] of [
    ['+2d', 2],
    ['-2d', -2],
  ] as const) {
    for (const peer of unfinished) await peer.send('half ');
    writeFileSync(time, jump);
    for (const peer of idle) expect(await peer.ask(`after ${jump}`)).toBe(`after ${jump}`);
    for (const peer of unfinished) expect(await peer.ask(jump)).toBe(`half ${jump}`);
    // The log shows that the server has seen another time of day.
    const [, logged = ''] = await server.saw(
      new RegExp(`"time":"([^"]+)","event":"message".*"text":"after \\${jump}"`),
    );
    expect(Math.round((Date.parse(logged) - Date.now()) / 86_400_000)).toBe(days);
  }
  expect(server.stdout()).not.toContain('"event":"closed"');
});
