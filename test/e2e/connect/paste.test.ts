/** Pastes of any size lose nothing, through a real terminal, while replies arrive. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { waitUntil } from '../../support/process/process.ts';
import { listen } from '../../support/servers.ts';
import { connectTo, exitStatusIn } from '../../support/talk.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');

/** An echo server that reads no faster than its replies are read, and hashes what it received. */
async function echo(pause?: Promise<void>) {
  const seen = { bytes: 0, hash: createHash('sha256') };
  const { address } = await listen((socket) => {
    const begin = () =>
      socket
        .on('data', (chunk: Buffer) => {
          seen.bytes += chunk.length;
          seen.hash.update(chunk);
          if (socket.write(chunk)) return;
          socket.pause();
          socket.once('drain', () => socket.resume());
        })
        .on('end', () => socket.end());
    if (pause) void pause.then(begin);
    else begin();
  });
  return { address, seen };
}

function linesOf(count: number, length: number): string {
  const line = (_: unknown, index: number) =>
    `${`${index} `.padEnd(length - 1, String.fromCharCode(97 + (index % 26)))}\n`;
  return Array.from({ length: count }, line).join('');
}

tmux('pasting 2,000 lines of 5 kB loses none', async () => {
  const { address, seen } = await echo();
  const terminal = await connectTo(address);
  const text = linesOf(2000, 5000);
  terminal.paste(text);
  terminal.enter('last');
  const all = `${text}last\n`;
  await waitUntil('everything has arrived', () => seen.bytes >= all.length, 50_000);
  expect(seen.hash.digest('hex')).toBe(createHash('sha256').update(all).digest('hex'));
  // The terminal may be behind: megabytes of replies are still to be shown.
  await terminal.sees(/\n< last {2}.*\n>$/);
  terminal.enter(':stats');
  await terminal.sees(/\nsent {6}2001 messages, 9998004 B.*\nreceived {2}2001 messages, 9998004 B\n/);
});

tmux('lines pasted into a terminal without bracketed paste lose nothing either', async () => {
  const { address, seen } = await echo();
  const terminal = await connectTo(address);
  const text = linesOf(200, 10_000);
  terminal.paste(text, { marks: false });
  await waitUntil('everything has arrived', () => seen.bytes >= text.length, 50_000);
  expect(seen.hash.digest('hex')).toBe(createHash('sha256').update(text).digest('hex'));
});

tmux('a server that reads late gets the whole paste', async () => {
  const late = Promise.withResolvers<void>();
  const { address, seen } = await echo(late.promise);
  const terminal = await connectTo(address);
  const text = linesOf(4000, 2500);
  terminal.paste(text);
  await terminal.sees(/^> \d+ [a-z]+$/m);
  late.resolve();
  await waitUntil('everything has arrived', () => seen.bytes >= text.length, 50_000);
  expect(seen.hash.digest('hex')).toBe(createHash('sha256').update(text).digest('hex'));
});

tmux('Ctrl-C discards pasted lines that wait for a server that does not read, and says how many', async () => {
  const { address } = await echo(new Promise(() => undefined));
  const terminal = await connectTo(address);
  terminal.paste(linesOf(2000, 5000));
  terminal.press('C-c');
  await terminal.sees(/\n\d+ lines not sent\n>$/);
  terminal.press('C-c');
  terminal.press('C-c');
  await terminal.sees(/\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(130);
});

tmux('colons, tabs and control characters in a paste are data', async () => {
  const { address, seen } = await echo();
  const terminal = await connectTo(address);
  const text = ':quit\n\ta\tb\n你好 👨‍👩‍👧\n';
  terminal.paste(text);
  await waitUntil('everything has arrived', () => seen.bytes >= Buffer.byteLength(text));
  expect(seen.hash.digest('hex')).toBe(createHash('sha256').update(text).digest('hex'));
  await terminal.sees(/\n> :quit\n[\s\S]*> \\ta\\tb\n/);
});
