/** The one place that asks which runtime this is. */
import { bunTransport } from './bun.ts';
import { nodeTransport } from './node.ts';
import type { Transport } from './transport.ts';

/** TCP and Unix sockets by the shortest way that the runtime has. */
export const runtimeTransport: Transport = process.versions.bun ? bunTransport : nodeTransport;
