/** The framings of a recording, as text. */

import { resolve } from 'node:path';
import type { Address } from '../address.ts';
import { lines } from '../framing/delimited/lines.ts';
import type { Framing } from '../framing/framing.ts';
import { ownFraming } from '../framing/known.ts';
import { isFramingFile, parseWith } from '../framing/notation.ts';
import type { Protocol } from '../framing/protocol.ts';
import { protocolNamed } from '../framing/protocols/protocols.ts';
import { websocket } from '../framing/websocket.ts';

/** The framings of a recording, by name. */
export interface WireNames {
  /** Excludes the framings. */
  readonly protocol?: string | null | undefined;
  readonly framing?: string | undefined;
  /** Default: as `framing`. */
  readonly replyFraming?: string | null | undefined;
}

/**
 * The framing with this name, also that of WebSocket connections.
 *
 * @param folder what the paths of files in it are relative to; the files must have been loaded before
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function readFraming(name: string, folder = '.'): Framing {
  return name === websocket.name ? websocket : parseWith(name, (file) => ownFraming(resolve(folder, file)));
}

/** The protocol with this name, or in this file. @param folder as for {@link readFraming} @throws YodelError `YODEL_INVALID_OPTION` */
export function readProtocol(name: string, folder: string): Protocol {
  return protocolNamed(isFramingFile(name) ? resolve(folder, name) : name);
}

/** The framings with these names. @throws YodelError `YODEL_INVALID_OPTION` */
export function readWire({ protocol, framing, replyFraming }: WireNames): Protocol {
  if (typeof protocol === 'string') return protocolNamed(protocol);
  const requests = framing === undefined ? lines() : readFraming(framing);
  return protocolFrom(requests, typeof replyFraming === 'string' ? readFraming(replyFraming) : requests);
}

/** A protocol without a name. */
export function protocolFrom(framing: Framing, replyFraming: Framing = framing): Protocol {
  return { framing, replyFraming, encoding: 'binary' };
}

/** The names of a protocol's framings, as {@link readWire} reads them. */
export function namesOf({ name, framing, replyFraming }: Protocol): WireNames {
  if (name !== undefined && isKnown(name, framing))
    return { protocol: name, framing: framing.name, replyFraming: replyFraming.name };
  return { framing: framing.name, replyFraming: replyFraming.name };
}

/** Whether a protocol can be found again by its name. */
function isKnown(name: string, { id }: Framing): boolean {
  try {
    return protocolNamed(name).framing.id === id;
  } catch {
    return false;
  }
}

/** The directives at the top of a transcript. */
export function wireLines({ protocol, framing = 'lines', replyFraming }: WireNames): string[] {
  if (typeof protocol === 'string') return [`@protocol ${protocol}`];
  const isSame = typeof replyFraming !== 'string' || replyFraming === framing;
  return [`@framing ${framing}`, ...(isSame ? [] : [`@reply-framing ${replyFraming}`])];
}

/** The protocol as it will be read from a recording: its framings may write other endings than those they were recorded with. */
export function asRead(protocol: Protocol): Protocol {
  try {
    return readWire(namesOf(protocol));
  } catch {
    // A framing of your own, which is given to whatever reads the recording.
    return protocol;
  }
}

/** Where a recorded connection was accepted, with the scheme that a client needs: that of WebSocket on top of TCP or TLS. */
export function recordedAddress({ local, framing }: { readonly local: Address; readonly framing: Framing }): string {
  const address = String(local);
  return framing.id === websocket.id ? address.replace(/^tcp:/, 'ws:').replace(/^tls:/, 'wss:') : address;
}
