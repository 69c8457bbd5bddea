/** What files that define framings and protocols export. */
import { YodelError } from '../../errors.ts';
import type { Framing } from '../framing.ts';
import { rememberFraming, rememberProtocol } from '../known.ts';
import type { Protocol } from '../protocol.ts';
import { resolveWire } from '../wire.ts';
import { defineFraming } from './define.ts';
import type { FramingDefinition } from './definition.ts';

/** The framing or protocol that a file exports, whichever it is. @throws YodelError `YODEL_INVALID_OPTION` */
export function wireExport(exported: unknown, file: string): Framing | Protocol {
  return isProtocol(exported) ? protocolExport(exported, file) : framingExport(exported, file);
}

/**
 * The framing that a file exports: a framing, or a definition for `defineFraming`. It is remembered by its name and file.
 *
 * @param file an absolute path
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function framingExport(exported: unknown, file: string): Framing {
  if (isProtocol(exported)) throw refusal('it exports a protocol; use it with --protocol');
  const framing = framingOf(exported);
  rememberFraming(framing, file);
  return framing;
}

/**
 * The protocol that a file exports: an object with the framings of both directions. Each is a framing, a definition, or a
 * framing's text form. It is remembered by its name and file.
 *
 * @param file an absolute path
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function protocolExport(exported: unknown, file: string): Protocol {
  if (!isProtocol(exported)) {
    const isFraming =
      typeof exported === 'object' && exported !== null && ('decode' in exported || 'createDecoder' in exported);
    throw refusal(
      isFraming
        ? 'it exports a framing; use it with --framing'
        : 'a protocol is an object with "framing" and "replyFraming"',
    );
  }
  const framing = textOrFraming(exported.framing);
  const replyFraming = exported.replyFraming === undefined ? framing : textOrFraming(exported.replyFraming);
  const protocol = resolveWire({ protocol: { ...(exported as object), framing, replyFraming } });
  rememberProtocol(protocol, file);
  return protocol;
}

function isProtocol(value: unknown): value is { framing: unknown; replyFraming?: unknown } {
  return typeof value === 'object' && value !== null && 'framing' in value;
}

function textOrFraming(value: unknown): Framing | string {
  return typeof value === 'string' ? value : framingOf(value);
}

function framingOf(value: unknown): Framing {
  const isFraming = typeof (value as Partial<Framing> | null)?.createDecoder === 'function';
  return isFraming ? (value as Framing) : defineFraming(value as FramingDefinition<never>);
}

function refusal(text: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', text);
}
