import { expect, test } from 'vitest';
import { temporaryFile } from '../../support/files.ts';
import { closedLine } from '../../support/log.ts';
import { dial } from '../../support/peer.ts';
import { serve } from '../../support/process/command.ts';

test('--max-message 512 accepts 512 bytes, and refuses 513 with an error instead of truncating', async () => {
  const server = await serve(['--max-message', '512']);
  const peer = await dial(server.port);
  expect(await peer.ask('x'.repeat(512))).toBe('x'.repeat(512));
  expect(await peer.ask('y'.repeat(513))).toMatch(/^error: .*512 bytes/);
  expect((await peer.ended).toString()).not.toContain('yy');
  peer.end();
  await server.saw(closedLine(1, 2, '.*512'));
});

test('--on-too-long discard answers a message above the limit with an error, and continues', async () => {
  const server = await serve(['--max-message', '8', '--on-too-long', 'discard']);
  const peer = await dial(server.port);
  expect(await peer.ask('much too long')).toMatch(/^error: /);
  expect(await peer.ask('short')).toBe('short');
  await server.saw(/discarded: /);
});

test('--rate limits each connection without delaying others', async () => {
  const server = await serve(['--rate', '5/s']);
  const limited = async () => {
    const [slow, other] = [await dial(server.port), await dial(server.port)];
    const began = performance.now();
    await slow.send('1\n2\n3\n4\n5\n');
    expect(await other.ask('at once')).toBe('at once');
    const waits = !slow.text.includes('5');
    await slow.saw(/1\n2\n3\n4\n5\n/);
    return { waits, took: performance.now() - began > 4 * 200 * 0.9 };
  };
  // A rate allows for the time in which a process did not run, as on a busy machine.
  await expect.poll(limited).toEqual({ waits: true, took: true });
});

test('--rate-policy close ends a connection above its rate limit, with an error', async () => {
  const server = await serve(['--rate', '3/s', '--rate-policy', 'close']);
  const limited = async () => {
    const peer = await dial(server.port);
    await peer.send('1\n2\n3\n4\n5\n6\n');
    return (await peer.ended).toString();
  };
  await expect.poll(limited).toMatch(/^1\n2\n3\nerror: more than 3 messages per second\n$/);
});

test('--max-messages serves that number and closes; further messages get an error', async () => {
  const server = await serve(['--max-messages', '3']);
  const modest = await dial(server.port);
  await modest.send('1\n2\n3\n');
  expect((await modest.ended).toString()).toBe('1\n2\n3\n');
  const greedy = await dial(server.port);
  await greedy.send('1\n2\n3\n4\n');
  expect((await greedy.ended).toString()).toMatch(/^1\n2\n3\nerror: [^\n]*3 messages[^\n]*\n$/);
});

test('--idle-timeout closes a silent connection with an error, and logs it', async () => {
  const server = await serve(['--idle-timeout', '100ms']);
  const peer = await dial(server.port);
  expect((await peer.ended).toString()).toBe('error: nothing was received or sent for 100 ms\n');
  peer.end();
  await server.saw(closedLine(0, 1, 'nothing was received or sent for 100 ms'));
});

test('--handler-timeout ends a connection whose handler hangs, and logs its name', async () => {
  const file = temporaryFile('hang.mjs', 'export default () => new Promise(() => undefined);');
  const server = await serve([file, '--handler-timeout', '100ms']);
  const peer = await dial(server.port);
  expect(await peer.ask('hello')).toBe('error: the handler took longer than 100 ms');
  await peer.ended;
  peer.end();
  await server.saw(/the handler failed for 127\.0\.0\.1:\d+#1: message\(\) of \S+hang\.mjs has not finished\n/);
  await server.saw(closedLine(1, 1, 'the handler took longer than 100 ms'));
});

test('--max-connections refuses a client above the limit with an error, and serves the others', async () => {
  const server = await serve(['--max-connections', '1']);
  const first = await dial(server.port);
  await first.ask('here');
  const second = await dial(server.port);
  expect((await second.ended).toString()).toMatch(/^error: the server has reached its limit of 1 connections/);
  await server.saw(/refused: /);
  expect(await first.ask('still here')).toBe('still here');
  first.end();
  await first.ended;
  await server.saw(closedLine(2, 2));
  const third = await dial(server.port);
  expect(await third.ask('welcome')).toBe('welcome');
});

test('limits can be set in the environment, and flags override it', async () => {
  const env = { YODEL_MAX_MESSAGE: '5' };
  const byEnvironment = await dial((await serve([], { env })).port);
  expect(await byEnvironment.ask('123456')).toMatch(/^error: /);
  const byFlag = await dial((await serve(['--max-message', '10'], { env })).port);
  expect(await byFlag.ask('123456')).toBe('123456');
});

test('a broken connection is one log line with peer and reason, and others continue', async () => {
  const server = await serve();
  const [other, broken] = [await dial(server.port), await dial(server.port)];
  await broken.ask('hello');
  broken.reset();
  const [line] = await server.saw(/.* closed after .*\n/);
  expect(line).toContain(` 127.0.0.1:${broken.port}#`);
  expect(line).toMatch(closedLine(1, 1, '.*reset'));
  expect(await other.ask('still here')).toBe('still here');
});

test('a client that ends its side still gets every reply', async () => {
  const server = await serve(['--rate', '50/s']);
  const peer = await dial(server.port);
  await peer.send('1\n2\n3\n4\n5');
  peer.end();
  expect((await peer.ended).toString()).toBe('1\n2\n3\n4\n5');
});
