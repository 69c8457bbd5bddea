/** How messages are written on the command line: `--escapes` and `--hex`. */
import { type Command, Option } from 'commander';
import { YodelError } from '../errors.ts';
import { parseBytes } from '../framing/escapes.ts';
import { UsageError } from './fail.ts';

/** Adds the flags to a command. */
export function addInputFlags(command: Command): void {
  command
    .addOption(new Option('-e, --escapes', 'interpret \\n \\r \\t \\0 \\\\ \\xHH in messages'))
    .addOption(new Option('--hex', 'messages are hexadecimal digits: "00 ff 7e"').conflicts('escapes'));
}

/** The payload of a message. @param number of the message, for errors; counted from 1. @throws UsageError */
export function readMessage(
  text: string,
  { escapes, hex }: Readonly<Record<string, unknown>>,
  number: number,
): Uint8Array {
  if (hex) return readHex(text, number);
  if (!escapes) return Buffer.from(text);
  try {
    return parseBytes(text);
  } catch (error) {
    if (error instanceof YodelError) throw new UsageError(`message ${number}: ${error.message}`);
    throw error;
  }
}

function readHex(text: string, number: number): Uint8Array {
  const digits = text.replaceAll(/[\s:]/g, '').replace(/^0x/i, '');
  if (digits.length % 2 === 0 && /^[0-9a-f]*$/i.test(digits)) return Buffer.from(digits, 'hex');
  const expected = '--hex takes pairs of hexadecimal digits, such as "00 ff 7e"';
  throw new UsageError(`message ${number}: ${expected}, not "${text}"`);
}
