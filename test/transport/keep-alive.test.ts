/** Keep-alive of TCP, as the kernel shows it. */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import type { TcpAddress } from '../../src/address.ts';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import { connect } from '../../src/client/connect.ts';
import { type Server, serve } from '../../src/server/server.ts';

const tls = selfSignedCertificate(['localhost'], 86_400_000);
/** The kernel's names for the state and the timers of a connection. */
const open = '01';
const noTimer = '00';
const keepAliveTimer = '02';
/** Jiffies as the kernel shows them, by POSIX. */
const perSecond = 100;

const servers: Server[] = [];
afterAll(() => Promise.all(servers.map((server) => server.close({ timeoutMs: 0 }))));

type Timer = number | 'off';

/** Both ends of a new connection: the seconds until the peer is probed, or `off`. */
async function timersOf(scheme: string, keepAlive: number | undefined, proxyProtocol?: string[]) {
  const server = await serve({ listen: `${scheme}://127.0.0.1:0`, tls, keepAlive, proxyProtocol });
  servers.push(server);
  const { port } = server.addresses[0] as TcpAddress;
  const client = await connect(`${scheme}://127.0.0.1:${port}`, { keepAlive, tls: { insecure: true } });
  const timers = {
    server: await timerOf((local) => local === port),
    client: await timerOf((_local, peer) => peer === port),
  };
  client.abort();
  return timers;
}

/** Waits until the open connection with these ports has no unanswered bytes: they have a timer of their own. */
async function timerOf(isMeant: (localPort: number, peerPort: number) => boolean): Promise<Timer> {
  for (;;) {
    for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
      const [, local = '', peer = '', state, , timer = ''] = line.trim().split(/\s+/);
      if (state !== open || !isMeant(portOf(local), portOf(peer))) continue;
      const [kind = '', left = ''] = timer.split(':');
      if (kind === keepAliveTimer) return Number.parseInt(left, 16) / perSecond;
      if (kind === noTimer) return 'off';
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function portOf(end: string): number {
  return Number.parseInt(end.split(':')[1] ?? '', 16);
}

describe.skipIf(!existsSync('/proc/net/tcp')).each(['tcp', 'tls', 'ws', 'wss'])('keep-alive over %s', (scheme) => {
  test('is on by default, after a minute', async () => {
    const timers = await timersOf(scheme, undefined);
    for (const left of [timers.server, timers.client]) {
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(60);
    }
  });

  test('begins after the configured time', async () => {
    const timers = await timersOf(scheme, 20_000_000);
    for (const left of [timers.server, timers.client]) {
      expect(left).toBeGreaterThan(19_000);
      expect(left).toBeLessThanOrEqual(20_000);
    }
  });

  test('is off with 0', async () => {
    expect(await timersOf(scheme, 0)).toEqual({ server: 'off', client: 'off' });
  });

  test('takes less than a second for one', async () => {
    const timers = await timersOf(scheme, 1);
    for (const left of [timers.server, timers.client]) expect(left).toBeLessThanOrEqual(1);
  });
});

test.skipIf(!existsSync('/proc/net/tcp'))('keep-alive is on behind a load balancer too', async () => {
  const timers = await timersOf('tcp', undefined, ['127.0.0.1']);
  expect(timers.server).toBeGreaterThan(0);
});
