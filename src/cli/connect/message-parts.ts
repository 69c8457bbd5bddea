/** The flags that say what sent messages have besides their payload: `--header` and `--binary`. */
import { type Command, Option } from 'commander';
import { YodelError } from '../../errors.ts';
import { parseBytes } from '../../framing/escapes.ts';
import type { Framing } from '../../framing/framing.ts';
import { Message, type MessageParts } from '../../framing/message.ts';
import { UsageError } from '../fail.ts';

const textMark = 'text:';

/** Adds the flags to a command. */
export function addPartsFlags(command: Command): void {
  command
    .addOption(
      new Option(
        '--header <header>',
        `header of each sent message, where the framing has one: hexadecimal digits, or ${textMark} and text with \\n, \\xHH`,
      ),
    )
    .addOption(new Option('--binary', 'over WebSocket: send binary messages (default: text, if it is UTF-8)'));
}

/** What the flags say; undefined if none is given. @throws UsageError */
export function readParts(flags: Readonly<Record<string, unknown>>): MessageParts | undefined {
  const header = flags.header === undefined ? undefined : flagHeader(String(flags.header));
  if (!header && flags.binary !== true) return undefined;
  return { header, kind: flags.binary === true ? 'binary' : undefined };
}

function flagHeader(text: string): Uint8Array {
  try {
    return parseHeader(text);
  } catch (error) {
    if (error instanceof YodelError) throw new UsageError(`--header: ${error.message}`);
    throw error;
  }
}

/**
 * The bytes of a header: `00 04`, or `text:Content-Type: text/plain\\r\\n`.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function parseHeader(text: string): Uint8Array {
  if (text.startsWith(textMark)) return parseBytes(text.slice(textMark.length));
  const digits = text.replaceAll(/\s/g, '');
  if (digits.length > 0 && digits.length % 2 === 0 && /^[0-9a-f]*$/i.test(digits)) return Buffer.from(digits, 'hex');
  const expected = `a header is hexadecimal digits, such as "00 04", or ${textMark} and text`;
  throw new YodelError('YODEL_INVALID_OPTION', `${expected}, not "${text}"`);
}

/** Whether messages of this framing have headers, such as this one. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
export function hasHeader({ encoder }: Framing, header: Uint8Array): boolean {
  return encoder.shapeOf(Message.of(new Uint8Array(), { header })) !== undefined;
}

/** A message with these parts instead of its own. */
export function withParts(message: Message, parts: MessageParts | undefined): Message {
  if (!parts) return message;
  const { header = message.header, kind = message.kind } = parts;
  return Message.of(message.bytes, { header: header.length > 0 ? header : undefined, kind });
}
