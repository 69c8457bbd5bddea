/**
 * What programs test their handlers, clients and framings with: `import { testSession } from 'yodel/testing'`. It needs no test framework
 * and no sockets. It runs on Node.js and Bun.
 *
 * @module
 */
export {
  type MemoryDialOptions,
  type MemoryOptions,
  type MemoryTransport,
  memoryTransport,
} from '../transport/memory.ts';
export { type CheckFramingOptions, checkFraming, FramingCheckError } from './check-framing.ts';
export { type DecodeAllOptions, type Decoded, decodeAll } from './decode-all.ts';
export { FakeClock, fakeClock } from './fake-clock.ts';
export { batch, type MessageOptions, message } from './message.ts';
export { Peer } from './peer.ts';
export {
  type TestConnectOptions,
  TestServer,
  type TestServerOptions,
  type TestSessionOptions,
  testServer,
  testSession,
} from './test-server.ts';
export { type Heard, type Said, TestSession } from './test-session.ts';
export type { TriedMessage } from './trial.ts';
