import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { dial } from '../support/peer.ts';
import { commandPath, start } from '../support/process/command.ts';
import { openDescriptors } from '../support/process/process.ts';
import { testWith } from '../support/tools.ts';

/** CPU time of a process, in hundredths of a second. */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

const testOnLinux = testWith('prlimit', 'apt-get install util-linux');

testOnLinux(
  'a server with few descriptors serves as many clients as fit, and refuses the others with an error',
  async () => {
    const few = ['prlimit', '--nofile=64:64'] as const;
    const command = [process.execPath, commandPath, 'serve', '--quiet', '--listen', '127.0.0.1:0'];
    const server = start([few[0], few[1], ...command]);
    const [, port] = await server.saw(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/);
    await server.saw(/serves at most 24 connections at once, not 10000: the limit on open files/);

    const served = [];
    for (let n = 1; n <= 24; n++) served.push(await dial(Number(port)));
    for (const client of served) expect(await client.ask('hello')).toBe('hello');
    // In a flood only some get the error; the others are reset, some before they know that they are connected.
    const refused = Array.from({ length: 100 }, async () => (await dial(Number(port))).ended);
    const outcomes = await Promise.allSettled(refused);
    const reasons = outcomes.filter((end) => end.status === 'fulfilled').map((end) => String(end.value));
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons) expect(reason).toMatch(/^error: the server has reached its limit of 24 connections/);
    expect(openDescriptors(server.pid)).toBeLessThan(64);

    // A listener that is ready but cannot accept must not keep a core busy.
    const used = ticks(server.pid);
    const began = performance.now();
    for (let n = 1; n <= 20; n++)
      for (const client of served) expect(await client.ask(`again ${n}`)).toBe(`again ${n}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const busy = ((ticks(server.pid) - used) * 10) / (performance.now() - began);
    expect(busy).toBeLessThan(0.6);

    for (const client of served) client.end();
    await Promise.all(served.map((client) => client.ended));
    const newcomer = await dial(Number(port));
    expect(await newcomer.ask('now there is room')).toBe('now there is room');
  },
);
