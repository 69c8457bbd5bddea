/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The client for browsers: `import { connect } from 'yodel/browser'`. It imports no module of Node.
 *
 * @module
 */
import type { Message as AnyMessage } from '../framing/message.ts';
import { createMessage } from './message.ts';

export type { WebSocketAddress } from '../address.ts';
export type {
  Client,
  ClientCounters,
  ClientState,
  NewConnection,
  SendAllOptions,
} from '../client/client.ts';
export type { ReconnectOptions } from '../client/client-settings.ts';
export type { ReadyOptions } from '../client/readiness.ts';
export type { Codec } from '../codec/codec.ts';
export { json } from '../codec/json.ts';
export { type ErrorCode, YodelError } from '../errors.ts';
export type { Correlate, CorrelateById, RequestId } from '../requests/correlation.ts';
export type { RequestOptions } from '../requests/request-options.ts';
export { connect } from './connect.ts';
export type { BrowserConnectOptions } from './options.ts';

/** A message, see the library. */
export type Message = AnyMessage;

/** `Message.of` creates a message, such as bytes that are sent as text. */
export const Message = { of: createMessage };
