/** What `--framing`, `--reply-framing` and `--protocol` say. They become a protocol here and nowhere else. */
import { resolve } from 'node:path';
import { YodelError } from '../errors.ts';
import type { Encoding, Framing } from '../framing/framing.ts';
import { isFramingFile, parseWith } from '../framing/notation.ts';
import { framingExport, protocolExport } from '../framing/own/exported.ts';
import type { Protocol } from '../framing/protocol.ts';
import { protocols } from '../framing/protocols/protocols.ts';
import { resolveWire } from '../framing/wire.ts';
import { UsageError } from './fail.ts';
import { loadDefaultExport } from './module-file.ts';
import { hasWireFlags, type WireFlags, wireFlagNames } from './wire-flags.ts';

/** What the flags say. */
export interface Wire {
  readonly protocol: Protocol;
  /** The files that define it, which other processes must load too. Absolute paths. */
  readonly files: readonly string[];
}

/**
 * Resolves the flags. Files are loaded, relative to the current directory.
 *
 * @throws UsageError, YodelError `YODEL_INVALID_OPTION`
 */
export async function readWire(flags: WireFlags): Promise<Wire> {
  const { framing, replyFraming, protocol, encoding } = flags as Readonly<Record<string, string | undefined>>;
  if (protocol !== undefined && (framing !== undefined || replyFraming !== undefined)) {
    const other = framing === undefined ? '--reply-framing' : '--framing';
    throw new UsageError(`--protocol already says the framings; omit ${other}`);
  }
  const files = new Map<string, Framing | Protocol>();
  const wire = resolveWire({
    framing: await readFraming(framing, files),
    replyFraming: await readFraming(replyFraming, files),
    protocol: await readProtocol(protocol, files),
    encoding: encoding as Encoding | undefined,
  });
  return { protocol: wire, files: [...files.keys()] };
}

/** The protocol of the flags, if there are any: recordings say their own. @throws as {@link readWire} */
export async function readGivenWire(flags: WireFlags): Promise<Protocol | undefined> {
  return hasWireFlags(flags) ? { ...(await readWire(flags)).protocol, encoding: 'binary' } : undefined;
}

/** Whether the flags name files, whose code runs when they are loaded. */
export function namesFiles(flags: WireFlags): boolean {
  return wireFlagNames.some((name) => {
    const text = flags[name];
    return typeof text === 'string' && (isFramingFile(text) || /\.[cm]?[jt]s\b/.test(text));
  });
}

/** The framing of a text, in which framings can be files: `until(./mine.ts, /end/)`. */
async function readFraming(
  text: string | undefined,
  files: Map<string, Framing | Protocol>,
): Promise<Framing | undefined> {
  if (text === undefined) return undefined;
  if (protocols.some(({ name }) => name === text)) {
    throw new UsageError(`"${text}" is a protocol, not a framing; use --protocol ${text}`);
  }
  for (;;) {
    let missing: string | undefined;
    try {
      return parseWith(text, (file) => {
        const known = files.get(resolve(file));
        if (known) return known as Framing;
        missing = file;
        throw new Error('not loaded yet');
      });
    } catch (error) {
      if (missing === undefined) throw error;
      files.set(resolve(missing), await loadFraming(missing));
    }
  }
}

async function readProtocol(
  text: string | undefined,
  files: Map<string, Framing | Protocol>,
): Promise<Protocol | string | undefined> {
  if (text === undefined || !isFramingFile(text)) return text;
  const protocol = await loadProtocol(text);
  files.set(resolve(text), protocol);
  return protocol;
}

/** Loads a file that exports a framing. @throws UsageError */
export async function loadFraming(file: string): Promise<Framing> {
  const exported = await loadDefaultExport(file, { what: 'framing', example: framingExample });
  return inFile(file, () => framingExport(exported, resolve(file)));
}

/** Loads a file that exports a protocol. @throws UsageError */
export async function loadProtocol(file: string): Promise<Protocol> {
  const exported = await loadDefaultExport(file, { what: 'protocol', example: protocolExample });
  return inFile(file, () => protocolExport(exported, resolve(file)));
}

const framingExample = 'example: export default { name, decode, encode }; see docs/own-framings.md';
const protocolExample = 'example: export default { framing, replyFraming }; see docs/own-framings.md';

/** Names the file in errors about what it exports. */
function inFile<Value>(file: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof YodelError)) throw error;
    throw new UsageError(`the default export of ${file} cannot be used: ${error.message}`);
  }
}
