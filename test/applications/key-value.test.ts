/** The key-value store behaves the same in both versions: written with yodel, and with node:net. */

import { describe, expect, test } from 'vitest';
import { fc } from '../support/fast-check.ts';
import { dial, type Peer } from '../support/peer.ts';
import { startApplication } from './application.ts';

const versions = {
  yodel: 'examples/applications/key-value.ts',
  'node:net': 'test/applications/plain/key-value.ts',
};

/** The replies to all these commands, which are sent at once. */
async function ask(peer: Peer, commands: readonly string[]): Promise<string[]> {
  const before = peer.size;
  await peer.send(commands.map((command) => `${command}\n`).join(''));
  return await replies(peer, before, commands.length);
}

async function replies(peer: Peer, before: number, count: number): Promise<string[]> {
  for (let expected = before + count; ; ) {
    const lines = (await peer.sawBytes(expected)).subarray(before).toString().split('\n');
    if (lines.length > count) return lines.slice(0, count);
    expected = peer.size + 1;
  }
}

describe.each(Object.entries(versions))('the key-value store with %s', (_, file) => {
  test('keeps values, for all clients', async () => {
    const { port } = await startApplication(file);
    const [one, two] = [await dial(port), await dial(port)];
    const commands = ['KEYS', 'GET a', 'SET a first value', 'SET b 2', 'SET b  ', 'GET a', 'GET b', 'KEYS'];
    const expected = ['KEYS', 'NONE', 'OK', 'OK', 'OK', 'VALUE first value', 'VALUE  ', 'KEYS a b'];
    expect(await ask(one, commands)).toEqual(expected);
    expect(await ask(two, ['DEL a', 'DEL a', 'GET a', 'GET b'])).toEqual(['OK', 'NONE', 'NONE', 'VALUE  ']);
  });

  test('answers mistakes with ERR, and goes on', async () => {
    const { port } = await startApplication(file);
    const peer = await dial(port);
    const mistakes = ['', 'get a', 'GET', 'GET a b', 'DEL a b', 'SET a', 'KEYS a', `GET ${'k'.repeat(251)}`];
    for (const reply of await ask(peer, mistakes)) expect(reply).toMatch(/^ERR /);
    expect(await ask(peer, ['GET a'])).toEqual(['NONE']);
  });

  test('takes values of up to 64 KiB', async () => {
    const { port } = await startApplication(file);
    const peer = await dial(port);
    const [longest, key] = ['é'.repeat(32_768), 'k'.repeat(250)];
    expect(await ask(peer, [`SET ${key} ${longest}`, `GET ${key}`])).toEqual(['OK', `VALUE ${longest}`]);
    const refused = await ask(peer, [`SET a ${longest}x`, `SET a ${'x'.repeat(1_000_000)}`, 'GET a']);
    expect(refused).toEqual([expect.stringMatching(/^ERR /), expect.stringMatching(/^ERR .*limit/), 'NONE']);
  });

  test('answers a line that is not UTF-8 with ERR', async () => {
    const { port } = await startApplication(file);
    const peer = await dial(port);
    await peer.send(Buffer.from('GET a\nSET a \xff\n', 'latin1'));
    await peer.saw(/^NONE\nERR .*UTF-8/);
  });

  test('stores no more than its limit', async () => {
    const { port } = await startApplication(file, { MAX_BYTES: '1000' });
    const peer = await dial(port);
    const [large, small] = ['x'.repeat(600), 'x'.repeat(300)];
    expect(await ask(peer, [`SET a ${large}`, `SET b ${large}`])).toEqual(['OK', 'ERR the store is full']);
    expect(await ask(peer, [`SET a ${small}`, `SET b ${large}`, 'DEL b'])).toEqual(['OK', 'OK', 'OK']);
    expect(await ask(peer, [`SET c ${large}`, 'SET d xx'])).toEqual(['OK', 'OK']);
  });

  test('answers any commands in any pieces as a map does', async () => {
    const { port } = await startApplication(file);
    const key = fc.constantFrom('a', 'b', 'ключ');
    const command = fc.oneof(
      fc.tuple(
        fc.constant('SET' as const),
        key,
        fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', '')),
      ),
      fc.tuple(fc.constantFrom('GET' as const, 'DEL' as const), key),
    );
    const property = async (commands: (readonly [string, string, string?])[], size: number) => {
      const peer = await dial(port);
      await ask(peer, ['DEL a', 'DEL b', 'DEL ключ']);
      const map = new Map<string, string>();
      const expected = commands.map(([name, of, value]) => {
        if (name === 'GET') return map.has(of) ? `VALUE ${map.get(of)}` : 'NONE';
        if (name === 'DEL') return map.delete(of) ? 'OK' : 'NONE';
        map.set(of, value ?? '');
        return 'OK';
      });
      const before = peer.size;
      const bytes = Buffer.from(commands.map((words) => `${words.join(' ')}\n`).join(''));
      for (let at = 0; at < bytes.length; at += size) await peer.send(bytes.subarray(at, at + size));
      expect(await replies(peer, before, commands.length)).toEqual(expected);
      peer.socket.destroy();
    };
    const anyCommands = fc.array(command, { minLength: 1, maxLength: 50 });
    await fc.assert(fc.asyncProperty(anyCommands, fc.integer({ min: 1, max: 100 }), property), { numRuns: 30 });
  });

  test('reads no commands of a client that does not read the replies', async () => {
    const { port } = await startApplication(file);
    const [greedy, other] = [await dial(port), await dial(port)];
    const value = 'x'.repeat(65_536);
    await ask(other, [`SET large ${value}`]);
    greedy.socket.pause();
    // 26 MB of replies: more than the buffers of the operating system.
    await greedy.send(`${'GET large\n'.repeat(400)}SET done yes\n`);
    for (let round = 0; round < 100; round++) expect(await ask(other, ['GET done'])).toEqual(['NONE']);
    greedy.socket.resume();
    await greedy.sawBytes(400 * 'VALUE \n'.length + 400 * value.length + 'OK\n'.length);
    expect(await ask(other, ['GET done'])).toEqual(['VALUE yes']);
  });

  test('answers everything before it ends on SIGTERM', async () => {
    const application = await startApplication(file);
    const peer = await dial(application.port);
    await peer.send(Array.from({ length: 1000 }, (_, number) => `SET ${number} ${number}\n`).join(''));
    await peer.saw(/OK/);
    const stopped = application.stop();
    expect((await peer.ended).toString()).toBe('OK\n'.repeat(1000));
    peer.end();
    expect(await stopped).toMatchObject({ status: 0, stderr: '' });
  });
});
