import { nodeTransport } from '../../src/transport/node.ts';
import { describeTransport } from './contract.ts';
import { socketPlaces, unix } from './places.ts';
import { describeUnixSockets } from './unix-sockets.ts';

describeTransport('node:net', () => nodeTransport, socketPlaces);
describeUnixSockets('node:net', () => nodeTransport, unix);
