/** What children print on stderr reaches the log, whatever others print. */
import { expect, it, onTestFinished } from 'vitest';
import { exec } from '../../src/handlers/exec.ts';
import { proxy } from '../../src/handlers/proxy.ts';
import { serve } from '../../src/server/server.ts';
import { Peer } from '../../src/testing/peer.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import { waitUntil } from '../support/process/process.ts';

/** A server whose children flood stderr or print a few lines there, and whose log is slow. */
async function flooded() {
  const script =
    'read -r word; case "$word" in flood) exec seq 100000000 >&2;; esac; seq -f "$word %g" 100 >&2; exec cat >/dev/null';
  const told = new Map<string, string[]>();
  let floods = 0;
  const tell = (text: string) => {
    // As a log does, it takes a moment.
    for (const end = performance.now() + 0.02; performance.now() < end; );
    const [word, number] = text.split(' ');
    if (number === undefined) floods++;
    else told.set(word as string, [...(told.get(word as string) ?? []), number]);
  };
  const transport = memoryTransport();
  const handler = exec(script, { shell: true, killGrace: 100, tell });
  const server = await serve({ transport, handler });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const connect = async (word: string) => {
    const peer = new Peer(await transport.connect(server.addresses[0] as never));
    peer.connection.write(Buffer.from(`${word}\n`));
    return peer;
  };
  for (let n = 0; n < 5; n++) await connect('flood');
  await waitUntil('the floods have begun', () => floods > 100);
  return { connect, told };
}

const all = Array.from({ length: 100 }, (_, n) => String(n + 1));

it('every line of a child that has ended is told, while others never stop printing', async () => {
  const { connect, told } = await flooded();
  const words = ['one', 'two', 'three'];
  for (const word of words) (await connect(word)).connection.end();
  await waitUntil('all is told', () => words.every((word) => told.get(word)?.length === all.length));
  for (const word of words) expect(told.get(word)).toEqual(all);
});

it('every line of a child whose client has reset its connection is told, too', async () => {
  const { connect, told } = await flooded();
  const peer = await connect('reset');
  await waitUntil('it prints', () => (told.get('reset')?.length ?? 0) > 0);
  peer.connection.abort();
  await waitUntil('all is told', () => told.get('reset')?.length === all.length);
});

it('programs behind a proxy that never stop printing on stderr do not keep others waiting', async () => {
  const script =
    'while read -r word; do case "$word" in flood) exec seq 100000000 >&2;; esac; echo "$word"; done; echo sorry >&2; exit 7';
  const transport = memoryTransport();
  const causes: string[] = [];
  const telemetry = {
    closed: (_: unknown, error: Error | undefined) => {
      if (error?.cause) causes.push((error.cause as Error).message);
    },
  };
  const server = await serve({ transport, handler: proxy(`exec:${script}`), telemetry });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const connect = async () => new Peer(await transport.connect(server.addresses[0] as never));
  const floods = [await connect(), await connect()];
  for (const flood of floods) flood.connection.write(Buffer.from('flood\n'));
  const other = await connect();
  for (let sent = 1; sent <= 20; sent++) {
    other.connection.write(Buffer.from(`${sent}\n`));
    await other.until(() => other.lines.length === sent);
  }
  expect(other.lines).toEqual(Array.from({ length: 20 }, (_, n) => String(n + 1)));
  // Its last line says why it failed.
  other.connection.end();
  await waitUntil('it has failed', () => causes.length > 0);
  expect(causes[0]).toMatch(/ended with status 7; on stderr: sorry$/);
});
