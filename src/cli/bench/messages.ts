/** What `yodel bench` sends: `--message`, `--message-file`, `--size`, `--escapes`, `--hex`, `--header`. */
import { YodelError } from '../../errors.ts';
import { parseBytes } from '../../framing/escapes.ts';
import { type Framing, isSameFraming } from '../../framing/framing.ts';
import { websocketClient } from '../../framing/websocket.ts';
import type { LoadSettings } from '../../load/plan.ts';
import { hasHeader, readParts } from '../connect/message-parts.ts';
import { UsageError } from '../fail.ts';
import { readFile } from '../files.ts';

const defaultSize = 64;

type Flags = Readonly<Record<string, unknown>>;

/**
 * Reads the flags.
 *
 * @param framing of what is sent
 * @throws UsageError, YodelError
 */
export function readMessages(flags: Flags, framing: Framing): Pick<LoadSettings, 'messages' | 'parts'> {
  const parts = readParts(flags);
  if (parts?.header && !hasHeader(framing, parts.header)) {
    throw new UsageError(`the framing "${framing.name}" has no header; omit --header`);
  }
  if (parts?.kind && !isSameFraming(framing, websocketClient)) throw new UsageError('--binary is only for WebSocket');
  const header = parts?.header && Buffer.from(parts.header).toString('latin1');
  return { messages: messagesOf(flags), parts: parts && { header, kind: parts.kind } };
}

function messagesOf(flags: Flags): LoadSettings['messages'] {
  const given = flags.message as readonly string[] | undefined;
  const bytesOf = interpretation(flags);
  if (given) return { given: given.map((text, index) => toLatin1(bytesOf(text, nameOf(given, index)))) };
  if (flags.messageFile === undefined) {
    for (const name of ['escapes', 'hex']) {
      if (flags[name] === true) throw new UsageError(`--${name} needs --message or --message-file`);
    }
    return { size: (flags.size as number | undefined) ?? defaultSize };
  }
  const file = String(flags.messageFile);
  const lines = readFile(file, 'latin1').split(/\r?\n/);
  // The last line may have no ending; nothing follows the last ending.
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new UsageError(`${file} is empty; it needs one message per line`);
  return { given: lines.map((line, index) => toLatin1(bytesOf(Buffer.from(line, 'latin1'), `${file}:${index + 1}`))) };
}

function nameOf(given: readonly string[], index: number): string {
  return given.length === 1 ? '--message' : `--message ${index + 1}`;
}

/** How a message is written: as it is, with escapes, or in hexadecimal digits. */
function interpretation({ escapes, hex }: Flags): (text: string | Buffer, where: string) => Uint8Array {
  if (hex === true) return (text, where) => fromHex(String(text), where);
  if (escapes !== true) return (text) => Buffer.from(text as string);
  return (text, where) => {
    try {
      // Escapes are ASCII, and so are what surrounds them: other bytes stay as they are.
      return typeof text === 'string' ? parseBytes(text) : unescaped(text);
    } catch (error) {
      if (error instanceof YodelError) throw new UsageError(`${where}: ${error.message}`);
      throw error;
    }
  };
}

/** Bytes that need not be UTF-8, with escapes. */
function unescaped(bytes: Buffer): Uint8Array {
  const pieces = bytes.toString('latin1').match(/[\x80-\xff]+|[^\x80-\xff]+/g) ?? [];
  return Buffer.concat(pieces.map((piece) => (piece.charCodeAt(0) < 0x80 ? parseBytes(piece) : toBytes(piece))));
}

function fromHex(text: string, where: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, '');
  if (digits.length % 2 === 0 && /^[\da-f]*$/i.test(digits)) return Buffer.from(digits, 'hex');
  throw new UsageError(
    `${where}: with --hex, a message is pairs of hexadecimal digits, such as "00 ff", not "${text}"`,
  );
}

function toLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function toBytes(latin1: string): Buffer {
  return Buffer.from(latin1, 'latin1');
}
