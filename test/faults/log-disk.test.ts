/** A server whose log is written to a disk that is full for a while. */
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { mounted, testWithMounts } from '../support/mounts.ts';
import { dial } from '../support/peer.ts';
import { serve } from '../support/process/command.ts';

testWithMounts('after a full disk the log resumes, and says how many lines are missing', async () => {
  for (const format of ['text', 'json']) {
    const folder = mounted('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs');
    const file = join(folder, 'log');
    const filler = join(folder, 'filler');
    writeFileSync(filler, Buffer.alloc(900_000));
    const fd = openSync(file, 'w');
    const server = await serve(['--log-format', format], { stdout: fd });
    closeSync(fd);
    const client = await dial(server.port);
    let asked = 0;
    const ask = async () => expect(await client.ask(`${++asked} ${'x'.repeat(500)}`)).toMatch(/^\d+ x+$/);
    while (!/cannot write the output: ENOSPC/.test(server.stderr())) await ask();
    for (let more = 0; more < 20; more++) await ask();
    rmSync(filler);
    const [, lost] = await server.saw(/the output can be written again; (\d+) lines lost\n/);
    for (let more = 0; more < 20; more++) await ask();
    client.end();
    await client.closed;
    const { stderr, status } = await server.stop();
    expect(status).toBe(0);
    expect(stderr.match(/cannot write the output/g)).toHaveLength(1);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const messages = lines.filter((line) => / \d+ B |"message"/.test(line));
    // No line is cut, and every message was logged or counted.
    const whole =
      format === 'json'
        ? /^\{.*\}$/
        : /^\d\d:\d\d:\d\d\.\d{3} (\S+#1 (connected|closed after .*|\d+ B \d+ x{500})|… \d+ lines lost: .*)$/;
    for (const line of lines) expect(line).toMatch(whole);
    const missing = lines.filter((line) => /lost|left-out/.test(line));
    expect(missing).toHaveLength(1);
    expect(missing[0]).toContain(
      format === 'json'
        ? `"lines":${lost},"reason":"write-failed"`
        : `… ${lost} lines lost: the output could not be written: ENOSPC`,
    );
    expect(messages.length + Number(lost)).toBe(asked);
  }
});
