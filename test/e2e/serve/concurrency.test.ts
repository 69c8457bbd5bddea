import { expect, test } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve } from '../../support/process/command.ts';

/** Answers when four messages are in flight: the last one first. */
const four = `
  const waiting = [];
  export default (message) =>
    new Promise((resolve) => {
      waiting.push(() => resolve(message));
      if (waiting.length === 4) setImmediate(() => waiting.splice(0).reverse().forEach((reply) => reply()));
    });
`;

/** Sends four lines, ends, and returns everything received. */
async function replies(flags: readonly string[]): Promise<string> {
  const server = await serve([...flags]);
  const peer = await dial(server.port);
  await peer.send('a\nb\nc\nd\n');
  peer.end();
  return (await peer.ended).toString();
}

test('--concurrency: several messages of a connection are in flight, and replies are in their order', async () => {
  expect(await replies([handlerFile(four), '--concurrency', '4'])).toBe('a\nb\nc\nd\n');
});

test('--reply-order finished: replies are sent as they are ready', async () => {
  const flags = ['--concurrency', '4', '--reply-order', 'finished'];
  expect(await replies([handlerFile(four), ...flags])).toBe('d\nc\nb\na\n');
});

test('a child for each message: several of a connection run at a time', async () => {
  const folder = temporaryFolder();
  const command = `read -r name; touch "${folder}/$name"; until [ -e "${folder}/d" ]; do sleep 0.02; done; echo "$name"`;
  const flags = ['--shell', '--exec-per-message', '--concurrency', '4'];
  expect(await replies([`exec:${command}`, ...flags])).toBe('a\nb\nc\nd\n');
});
