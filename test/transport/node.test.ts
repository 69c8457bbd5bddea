import { beforeAll } from 'vitest';
import { prepareReads } from '../../src/transport/node/connection.ts';
import { nodeTransport } from '../../src/transport/node.ts';
import { describeTransport } from './contract.ts';
import { socketPlaces, unix } from './places.ts';
import { describeUnixSockets } from './unix-sockets.ts';

// So that even the first connection borrows its reads.
beforeAll(prepareReads);

describeTransport('node:net', () => nodeTransport, socketPlaces);
describeUnixSockets('node:net', () => nodeTransport, unix);
