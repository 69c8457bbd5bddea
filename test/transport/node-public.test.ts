import { expect, it } from 'vitest';
import { describeTransport } from './contract.ts';
import { socketPlaces, unix } from './places.ts';
import { describeUnixSockets } from './unix-sockets.ts';

// Before the transport is loaded: as on a Node whose sockets cannot read into a shared buffer.
process.env.YODEL_NODE_READS = 'public';
const { nodeTransport } = await import('../../src/transport/node.ts');
const { canBorrowReads } = await import('../../src/transport/node/borrowed-reads.ts');

it('reads are not borrowed here', async () => {
  expect(await canBorrowReads()).toBe(false);
});

describeTransport('node:net by its public events', () => nodeTransport, socketPlaces);
describeUnixSockets('node:net by its public events', () => nodeTransport, unix);
