/** The histories of rooms in NATS JetStream, as the rooms of a node use them. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe } from 'vitest';
import { testStore } from '../../../rooms/stored/conformance.ts';
import { openNode } from '../opened-stores.ts';
import { BrokerProgram, withBrokers } from '../programs.ts';

describe('a store in NATS JetStream', () => {
  testStore({
    isShared: true,
    countsBatches: true,
    test: withBrokers,
    async start() {
      const broker = await BrokerProgram.startWithStore('nats');
      return {
        open: (limits) => openNode(broker.url(), limits),
        pass: (ms) => delay(ms),
        restart: (kind) => broker.restart(kind),
      };
    },
  });
});
