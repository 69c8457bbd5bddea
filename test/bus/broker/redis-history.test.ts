/** The histories of rooms in a real Redis. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe } from 'vitest';
import { testStore } from '../../rooms/stored/conformance.ts';
import { openNode } from './opened-stores.ts';
import { BrokerProgram, withBrokers } from './programs.ts';

describe('a store in Redis', () => {
  testStore({
    isShared: true,
    test: withBrokers,
    async start(isRestarted) {
      const broker = await (isRestarted ? BrokerProgram.startWithStore('redis') : BrokerProgram.start('redis'));
      return {
        open: (limits) => openNode(broker.url(), limits),
        pass: (ms) => delay(ms),
        restart: (kind) => broker.restart(kind),
      };
    },
  });
});
