/** Real clients talk to real servers through a proxy with faults. */

import { expect, onTestFinished } from 'vitest';
import type { ProtocolName } from '../../../src/framing/protocols/protocols.ts';
import { type AppliedFault, Faults, proxy, serve, withFaults } from '../../../src/index.ts';
import { memcached } from './servers/memcached.ts';
import { postgres } from './servers/postgres.ts';
import { redis } from './servers/redis.ts';
import type { ProtocolProgram } from './servers/server.ts';
import { smtp } from './servers/smtp.ts';

/** A proxy with faults in front of a server. */
async function proxied(port: number, protocol: ProtocolName | undefined, faults: readonly string[]) {
  const applied: AppliedFault[] = [];
  const set = new Faults(faults, { seed: 7, observe: (_, one) => applied.push(one) });
  const server = await serve({
    ...{ listen: 'tcp://127.0.0.1:0', encoding: 'binary', maxMessageLength: 16_777_216 },
    ...(protocol === undefined ? { framing: 'raw' } : { protocol }),
    handler: withFaults(proxy(port), set),
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const [address] = server.addresses;
  return { port: address && 'port' in address ? address.port : 0, applied };
}

interface Case {
  readonly program: ProtocolProgram;
  readonly protocol: ProtocolName;
  /** A request that its client makes. */
  readonly request: RegExp;
}

const cases: readonly Case[] = [
  { program: redis, protocol: 'redis', request: /greeting/ },
  { program: memcached, protocol: 'memcached', request: /^get k$/ },
  { program: postgres, protocol: 'postgres', request: /select \* from nosuch/ },
  { program: smtp, protocol: 'smtp', request: /^data/i },
];

/** They lose nothing, so that every client gets its answer. */
const lossless = [
  'both latency 2ms±2ms',
  'both 30% chunk 7±5 0ms',
  'reply 10% latency 10ms',
  'request bandwidth 1MB/s',
  'reply bandwidth 2MB/s',
];

for (const { program, protocol, request } of cases) {
  program.test(
    `${program.name}: the client gets its answer through faults that lose nothing, and none through others`,
    async () => {
      const upstream = await program.start();
      for (const wire of [protocol, undefined]) {
        const { port } = await proxied(upstream, wire, lossless);
        expect(await program.ask(port), wire ?? 'raw').toMatch(program.answer);
      }
      const { port, applied } = await proxied(upstream, protocol, [`request ${request} reset`]);
      // Some clients ignore that their connection breaks.
      const answer = await program.ask(port).catch((error: Error) => error.message);
      expect(answer).not.toMatch(program.answer);
      expect(applied).toContainEqual(expect.objectContaining({ kind: 'reset', direction: 'request' }));
    },
  );
}
