/**
 * Connects each session to another server, and forwards messages in both directions: byte for byte where both sides have the
 * same framing, else encoded again. A proxy says nothing itself: whatever goes wrong, the client's connection is closed or
 * reset, and only the log and `telemetry` have the reason.
 *
 *     client  --batch-->  session  --frames-->  upstream  ->  server
 *     client  <--send---  session  <--batch---  upstream  <-  server
 *
 * When one side ends, the end is forwarded, and the other side may continue to send. While one side does not read,
 * yodel does not read from the other side. A session ends when both sides have ended, when one of them is gone, or when one
 * takes nothing for its time-out: a client that is not read cannot be seen to leave.
 */

import { type Address, parseAddress } from '../address.ts';
import { checkShapes, shapesOf } from '../option-shapes.ts';
import { childDescriptors } from '../process/child-descriptors.ts';
import type { HandlerObject } from '../session/handler.ts';
import type { Session } from '../session/public-session.ts';
import { takeShape, writesShapes } from './faults/shape.ts';
import { otherProtocol, wireShapes } from './forwarding.ts';
import type { ProxyOptions } from './proxy/options.ts';
import { Upstream } from './proxy/upstream.ts';

export type { ProxyObserver, ProxyOptions, ProxySide } from './proxy/options.ts';

/**
 * A handler that forwards messages between its clients and the server at `address`, which may be of any scheme.
 *
 * @throws YodelError `YODEL_INVALID_ADDRESS`, `YODEL_INVALID_OPTION`
 */
export function proxy(address: Address | string | number, options: ProxyOptions = {}): HandlerObject {
  checkShapes(options, known, 'proxy()');
  const to = typeof address === 'object' ? address : parseAddress(address);
  const settings = { address: to, protocol: otherProtocol(options), options };
  const upstreams = new WeakMap<Session, Upstream>();
  const handler: HandlerObject & { readonly [writesShapes]: true } = {
    [writesShapes]: true,
    forwarding: 'transparent',
    limitsItself: true,
    upstream: to,
    descriptors: to.scheme === 'exec' ? childDescriptors : 1,
    awaitsClose: true,
    open(session) {
      const upstream = new Upstream(session, settings);
      upstreams.set(session, upstream);
      return upstream.connect();
    },
    batch: (batch, session) => upstreams.get(session)?.send(batch, takeShape(session)),
    end: (session) => upstreams.get(session)?.clientEnded(),
    close: (session, error) => upstreams.get(session)?.close(error),
  };
  return handler;
}

const known = {
  ...wireShapes,
  ...shapesOf(['connectTimeout', 'drainTimeout', 'endTimeout', 'maxMessageLength'], 'number'),
  ...shapesOf(['clock', 'transport']),
  tls: 'object',
  observe: 'function',
} as const;
