/** A client of a program. */
import { expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';

test('exchanges messages with a program', async () => {
  await using client = await connect("exec:sh -c 'while read line; do echo $line $line; done'");
  expect((await client.request('a')).text).toBe('a a');
  expect((await client.request('b')).text).toBe('b b');
});

test('learns how a program failed', async () => {
  const client = await connect('exec:sh -c "read line; echo no license >&2; exit 7"');
  await expect(client.request('a')).rejects.toMatchObject({
    code: 'YODEL_COMMAND_FAILED',
    message: expect.stringContaining('ended with status 7; on stderr: no license'),
  });
  await client.closed;
});

test('receives what a program prints on stderr', async () => {
  const lines: string[] = [];
  const client = await connect('exec:sh -c "echo starting >&2; cat"', { stderr: (line) => lines.push(line) });
  await client.request('a');
  await client.close();
  expect(lines).toEqual(['starting']);
});
