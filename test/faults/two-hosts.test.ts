/** What only a network between two hosts does: it loses and delays packets, is cut and heals, or refuses. */
import { expect } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { type Host, testWithTwoHosts, twoHosts } from '../support/network/two-hosts.ts';
import { commandPath, type Running, start } from '../support/process/command.ts';

const farClient = new URL('./far-client.ts', import.meta.url).pathname;

/** Starts a server on the host. */
async function serveOn(host: Host, args: readonly string[], schemes: readonly string[] = ['tcp']) {
  const listen = schemes.flatMap((scheme) => ['--listen', `${scheme}://${host.address}:0`]);
  const words = host.command([process.execPath, commandPath, 'serve', ...args, ...listen, '--json', '--no-messages']);
  const server = start(words);
  const ports: number[] = [];
  for (const scheme of schemes) {
    const [, port] = await server.saw(new RegExp(`listening on ${scheme}://[^:]+:(\\d+)`));
    ports.push(Number(port));
  }
  return { ...server, ports, port: ports[0] as number };
}

function clientOn(host: Host, mode: string, to: Host, ports: readonly number[]): Running {
  return start(host.command([process.execPath, farClient, mode, to.address, ...ports.map(String)]));
}

testWithTwoHosts(
  'over a network that loses 5 % and delays by 40 ms, every reply arrives once and in order',
  async () => {
    const { server: near, client: far, lose } = await twoHosts(20);
    lose(5);
    const { certificate, key } = makeCertificate();
    const tls = ['--cert', certificate, '--key', key];
    const { ports } = await serveOn(near, ['echo', ...tls], ['tcp', 'tls', 'ws']);
    const [, result = ''] = await clientOn(far, 'talk', near, ports).saw(/^(\{"talked".*\})$/m);
    const { answered, problems } = JSON.parse(result) as { answered: number; problems: string[] };
    expect(problems).toEqual([]);
    expect(answered).toBeGreaterThan(300);
  },
);

testWithTwoHosts(
  'while the network is cut, time-outs end what they must; when it heals, a connection continues without loss',
  async () => {
    const { server: near, client: far, cut, heal } = await twoHosts(1);
    const [patient, impatient, sending] = await Promise.all([
      serveOn(near, ['echo']),
      serveOn(near, ['echo', '--idle-timeout', '1s']),
      serveOn(near, ['chargen', '--drain-timeout', '1s']),
    ]);
    const pings = clientOn(far, 'ping', near, patient.ports);
    await pings.saw(/"answered":\d+/);
    const listener = clientOn(far, 'listen', near, impatient.ports);
    await listener.saw(/"listening"/);
    const reader = clientOn(far, 'listen', near, sending.ports);
    await reader.saw(/"listening"/);

    cut();
    const connecting = start(
      far.command([
        process.execPath,
        commandPath,
        'send',
        `${near.address}:${patient.port}`,
        'hello',
        '--connect-timeout',
        '500ms',
      ]),
    );
    const { status, stderr } = await connecting.ended;
    expect(stderr).toMatch(/cannot connect to tcp:\/\/10\.213\.7\.1:\d+: .*500 ms/);
    expect(status).toBe(4);
    await impatient.saw(/"event":"closed".*"code":"YODEL_IDLE_TIMEOUT"/);
    await sending.saw(/"event":"closed".*"code":"YODEL_DRAIN_TIMEOUT"/);
    expect(patient.stderr() + patient.stdout()).not.toContain('"event":"closed"');

    const answeredUntil = [...pings.stdout().matchAll(/"answered":(\d+)/g)].length;
    heal();
    // Sent again by the operating systems.
    await pings.saw(new RegExp(`("answered":\\d+[^]*){${answeredUntil + 2}}`));
    await listener.saw(/"ending":"end","error":"error: nothing was received or sent for 1 s"/);
    pings.process.stdin?.write('end\n');
    const [, result = ''] = await pings.saw(/^(\{"ending".*\})$/m);
    const { sent, ...rest } = JSON.parse(result) as { sent: number };
    expect(rest).toEqual({ ending: 'end', answered: sent, problems: [] });
  },
);

testWithTwoHosts(
  'when a firewall refuses, connections break without a wrong reply, and new ones are served once it stops',
  async () => {
    const { server: near, client: far, refuse, heal } = await twoHosts(1);
    const server = await serveOn(near, ['echo', '--idle-timeout', '1s']);
    const pings = clientOn(far, 'ping', near, server.ports);
    await pings.saw(/"answered":\d+/);
    refuse();
    const [, result = ''] = await pings.saw(/^(\{"ending".*\})$/m);
    const { sent, answered, ...rest } = JSON.parse(result) as { sent: number; answered: number };
    expect(rest).toEqual({ ending: 'broken', problems: [] });
    expect(answered).toBeLessThanOrEqual(sent);
    // The server learns of it at its next word to the client.
    await server.saw(/"event":"closed"/);
    heal();
    const again = start(
      far.command([process.execPath, commandPath, 'send', `${near.address}:${server.port}`, 'hello']),
    );
    expect((await again.ended).stdout.toString()).toBe('hello\n');
  },
);
