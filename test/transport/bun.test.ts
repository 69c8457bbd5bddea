import { describe } from 'vitest';
import { bunTransport } from '../../src/transport/bun.ts';
import { describeTransport } from './contract.ts';
import { socketPlaces, unix } from './places.ts';
import { describeUnixSockets } from './unix-sockets.ts';

describe.skipIf(!process.versions.bun)('on Bun', () => {
  describeTransport('Bun.listen', () => bunTransport, socketPlaces);
  describeUnixSockets('Bun.listen', () => bunTransport, unix);
});
