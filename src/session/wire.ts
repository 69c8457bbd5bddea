/** The framing and encoding of a server's or client's connections. */
import { YodelError } from '../errors.ts';
import type { Encoding, Framing } from '../framing/framing.ts';
import { lines } from '../framing/lines.ts';
import { parseFraming } from '../framing/notation.ts';
import { checkOption } from '../options.ts';

/** Options of the framing and encoding. */
export interface WireOptions {
  /** The rule between messages and frames: `lines()`, or its text form. Default `lines`. */
  readonly framing?: Framing | string | undefined;
  /** Whether messages are checked to be UTF-8. Default: the framing's (`lines` and `delimiter` check). */
  readonly encoding?: Encoding | undefined;
}

/** A framing and an encoding that are compatible. */
export interface Wire {
  readonly framing: Framing;
  readonly encoding: Encoding;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function resolveWire(options: WireOptions): Wire {
  const framing = typeof options.framing === 'string' ? parseFraming(options.framing) : (options.framing ?? lines());
  if (typeof framing.createDecoder !== 'function') {
    const expected = 'a framing such as lines(), or its text form such as "lines"';
    throw new YodelError('YODEL_INVALID_OPTION', `the option "framing" takes ${expected}`);
  }
  const encoding = options.encoding ?? framing.defaultEncoding;
  checkOption('encoding', { kind: 'choice', choices: ['utf8', 'binary'] }, encoding);
  // Create one decoder now, so that an incompatible encoding fails here and not with the first peer.
  framing.createDecoder({ maxMessageLength: 1, onTooLong: 'close', encoding });
  return { framing, encoding };
}
