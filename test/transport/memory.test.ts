import { TcpAddress } from '../../src/address.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import { describeTransport } from './contract.ts';
import type { Place, Sizes } from './network.ts';

const places: { chunkSize?: number; capacity?: number; sizes: Sizes }[] = [
  { sizes: { little: 10_000, large: 10_000_000, tooMuch: 1_000_000, flood: 200_000_000 } },
  { chunkSize: 1, capacity: 1, sizes: { little: 1, large: 20_000, tooMuch: 20_000, flood: 100_000 } },
  { chunkSize: 7, capacity: 100, sizes: { little: 50, large: 100_000, tooMuch: 100_000, flood: 1_000_000 } },
  { chunkSize: 1000, capacity: 64, sizes: { little: 50, large: 100_000, tooMuch: 100_000, flood: 1_000_000 } },
];

for (const { sizes, ...options } of places) {
  const place: Place = {
    name: `chunks of ${options.chunkSize ?? 'any size'}, room for ${options.capacity ?? 'the default'}`,
    freshAddress: () => new TcpAddress('127.0.0.1', 0),
    hasResets: true,
    hasHostNames: false,
    sizes,
  };
  describeTransport('the transport in memory', () => memoryTransport(options), [place]);
}
