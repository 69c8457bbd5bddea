/** Files that flags name, with errors for the command line. */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileErrorReason } from '../errors.ts';
import { UsageError } from './fail.ts';

/** Reads a file. @throws UsageError if it cannot be read */
export function readFile(path: string, encoding: BufferEncoding = 'utf8'): string {
  try {
    return readFileSync(path, encoding);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${fileErrorReason(error)}`);
  }
}

/** Reads a text file. @throws UsageError if it cannot be read, or is not UTF-8: decoding would change its bytes */
export function readText(path: string): string {
  const text = readFile(path);
  const bytes = readFile(path, 'latin1');
  if (Buffer.byteLength(text) === bytes.length && Buffer.from(text).toString('latin1') === bytes) return text;
  const lines = text.split('\n');
  const before = bytes.split('\n');
  const line = lines.findIndex((one, index) => Buffer.from(one).toString('latin1') !== before[index]);
  throw new UsageError(`${path}:${line + 1} is not UTF-8; write other bytes as \\xHH, after >\\ or <\\`);
}

/** Checks that a file can be written, before minutes are spent on its content. @throws UsageError */
export function checkWritable(path: string): void {
  try {
    if (!existsSync(dirname(path))) throw Object.assign(new Error(), { code: 'ENOTDIR' });
    if (!existsSync(path)) accessSync(dirname(path), constants.W_OK);
    else if (statSync(path).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    else accessSync(path, constants.W_OK);
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${fileErrorReason(error)}`);
  }
}
