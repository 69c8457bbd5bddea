/** The subcommands of `yodel context`. Loaded only when one runs. */
import { resolve } from 'node:path';
import { UnixAddress } from '../../address.ts';
import { isFramingFile } from '../../framing/notation.ts';
import { escapeJson, escapeText } from '../../terminal/escape.ts';
import { connectCommand } from '../connect/command.ts';
import { readAddress } from '../connect/target.ts';
import { UsageError } from '../fail.ts';
import { readTlsFlags } from '../tls-flags.ts';
import { readWire } from '../wire.ts';
import { wireFlagNames } from '../wire-flags.ts';
import { contextNames, readContext, type SavedContext, writeContext } from './contexts.ts';

/** Checks an address and flags and saves them. @throws UsageError, YodelError */
export async function saveContext(
  name: string,
  target: string,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (target.startsWith('@')) throw new UsageError(`"${target}" is a context; save its address instead`);
  const address = readAddress(target, port);
  await readWire(flags);
  readTlsFlags(flags, address);
  const place = address.scheme === 'unix' ? new UnixAddress(resolve(address.path)) : address;
  const path = await writeContext(name, { address: String(place), ...withAbsolutePaths(flags) });
  process.stderr.write(`yodel: saved in ${escapeText(path)}; connect with: yodel connect @${name}\n`);
}

/** The contexts as text, one per line, or as JSON, one object per line. @throws UsageError if a file is not valid */
export async function listContexts(json: boolean): Promise<string> {
  const names = contextNames();
  const contexts = await Promise.all(names.map(async (name) => ({ name, ...(await readContext(name)) })));
  if (json) return contexts.map((context) => `${escapeJson(JSON.stringify(context))}\n`).join('');
  const widest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length));
  const [nameWidth, addressWidth] = [widest(names), widest(contexts.map(({ address }) => address))];
  return contexts
    .map(({ name, address, ...settings }) => {
      const flags = Object.entries(settings).map(([setting, value]) => `${setting}=${formatValue(value)}`);
      const line = `${name.padEnd(nameWidth)}  ${address.padEnd(addressWidth)}  ${flags.join(' ')}`;
      return `${escapeText(line.trimEnd())}\n`;
    })
    .join('');
}

/** A context as in its file, or as JSON. @throws UsageError */
export async function showContext(name: string, json: boolean): Promise<string> {
  const context = await readContext(name);
  if (json) return `${escapeJson(JSON.stringify({ name, ...context }))}\n`;
  const { stringify } = await import('smol-toml');
  return `${stringify(context).trimEnd()}\n`;
}

/** The flags with absolute paths, so that the context works in any directory. */
function withAbsolutePaths(flags: Readonly<Record<string, unknown>>): Omit<SavedContext, 'address'> {
  const options = new Map(connectCommand().options.map((option) => [option.attributeName(), option]));
  return Object.fromEntries(
    Object.entries(flags).map(([name, value]) => {
      if (typeof value !== 'string') return [name, value];
      const isWire = (wireFlagNames as readonly string[]).includes(name);
      const isFile = isWire ? isFramingFile(value) : /<(file|directory|dir)>/.test(options.get(name)?.flags ?? '');
      return [name, isFile ? resolve(value) : value];
    }),
  );
}

function formatValue(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
