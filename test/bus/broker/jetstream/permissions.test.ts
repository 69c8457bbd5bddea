/** The permissions for histories in JetStream that the page about several machines names. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { Appender, readAll } from '../../../rooms/stored/conformance.ts';
import { temporaryFile } from '../../../support/files.ts';
import { openNode } from '../opened-stores.ts';
import { BrokerProgram, withBrokers } from '../programs.ts';

const page = readFileSync(new URL('../../../../docs/clusters.md', import.meta.url), 'utf8');
const [, block = ''] = /<!-- nats-permissions-histories -->\n```text\n([^`]*)```/.exec(page) ?? [];
const subjects = block.match(/"\$JS\.[^"]+"/g) ?? [];

/** The user of the page, and for each of some subjects one who may not publish there. */
function configOf(missing: readonly string[]): string {
  const user = /\{\s+user: chat[\s\S]*\n {4}\}/.exec(block)?.[0] ?? '';
  const others = missing.map((subject, index) => user.replace('user: chat', `user: no${index}`).replace(subject, ''));
  return `authorization { users = [\n${[user, ...others].join('\n')}\n] }\n`;
}

withBrokers('the permissions of the page are enough for histories, and needed', async () => {
  // The stream exists for the others; and what is not deleted ends by itself.
  const needed = subjects.filter((subject) => !/STREAM\.CREATE|CONSUMER\.DELETE/.test(subject));
  expect(needed.length).toBe(4);
  const broker = await BrokerProgram.startWithStore('nats', ['-c', temporaryFile('nats.conf', configOf(needed))]);
  const { store, events } = await openNode(broker.url('chat:secret@'));
  const appender = new Appender(store, 'a');
  for (let batch = 0; batch < 10; batch++) await appender.append();
  expect(await readAll(store, 'a')).toHaveLength(10);
  expect(events).toEqual([expect.stringMatching(/^connected/)]);
  for (const index of needed.keys()) {
    const other = await openNode(broker.url(`no${index}:secret@`));
    await expect(readAll(other.store, 'a')).rejects.toThrow(/Permissions Violation/);
    await other.close();
  }
});
