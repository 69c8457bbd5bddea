/** Finds the handler of `yodel serve`, by its name or in a file. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { YodelError } from '../../../errors.ts';
import type { Encoding } from '../../../framing/framing.ts';
import type { Protocol } from '../../../framing/protocol.ts';
import { resolveWire } from '../../../framing/wire.ts';
import { handlersByName } from '../../../handlers/handlers.ts';
import { type HandlerObject, resolveHandler } from '../../../session/handler.ts';
import type { Session } from '../../../session/public-session.ts';
import { nearestWord } from '../../../suggestion.ts';
import { escapeError } from '../../../terminal/escape.ts';
import type { MockServer } from '../../../transcript/mock/mock.ts';
import { UsageError } from '../../fail.ts';
import { defaultExportOf, loadExports } from '../../module-file.ts';
import type { NotifyOf } from '../outputs.ts';
import { type HandlerExports, handlerExportsOf } from './exports.ts';
import type { MockSettings } from './mock-flags.ts';

const example = 'example: export default (message) => message.text.toUpperCase()';

/** A handler, with the framing and encoding that it needs. */
export interface LoadedHandler {
  readonly handler: HandlerObject;
  /** Its data, codec and correlation; undefined: none. */
  readonly exports?: HandlerExports | undefined;
  /** The framings that it needs; undefined: any. */
  readonly protocol?: Protocol | undefined;
  /** The encoding that it needs; undefined: the framing's default. */
  readonly encoding?: Encoding | undefined;
  readonly judged?: JudgedMock | undefined;
  /** Called when the server begins to shut down. */
  readonly stop?: (() => void) | undefined;
}

/** A transcript's server whose clients get a verdict. */
export interface JudgedMock {
  readonly mock: MockServer;
  readonly settings: MockSettings;
  /** The transcript. */
  readonly file: string;
  /** The problems that were printed when they occurred. */
  readonly reported: ReadonlySet<string>;
}

/**
 * Loads a handler by name, the current default export of a file, or the server's part of a transcript. The
 * imports of a handler file are not loaded again.
 *
 * @throws UsageError if it does not exist, cannot be loaded, or is not a handler
 * @throws TranscriptError
 */
export async function loadHandler(
  nameOrPath: string,
  settings: MockSettings,
  notifyOf: NotifyOf,
): Promise<LoadedHandler> {
  const known = handlersByName[nameOrPath];
  if (known) return { handler: known.handler };
  if (nameOrPath.endsWith('.transcript')) return await loadTranscript(nameOrPath, settings, notifyOf);
  return await loadFile(nameOrPath);
}

async function loadTranscript(path: string, settings: MockSettings, notifyOf: NotifyOf): Promise<LoadedHandler> {
  const { lenient, once, verify, pace, variables } = settings;
  const { checkVariables, mockServer, needsCertificate, readTranscript, refuseWithoutConversation } = await import(
    './transcript.ts'
  );
  const transcript = await readTranscript(path, { variables });
  checkVariables(variables, [transcript]);
  if (once || verify) refuseWithoutConversation(transcript);
  const reported = new Set<string>();
  const unexpected = (session: Session, error: YodelError) => {
    reported.add(error.message);
    notifyOf('unexpected', session, (client) => `${client}: ${escapeError(error.message)}`);
  };
  const tls = needsCertificate(transcript) ? await settings.certificates() : undefined;
  const mock = mockServer(transcript, { lenient, once, pace, tls, unexpected });
  const { framing, replyFraming, protocol } = transcript;
  // WebSocket is the framing of its connections, whatever that of the server is.
  const isNamed = (framing ?? replyFraming) !== undefined && framing?.name !== 'websocket';
  return {
    handler: mock,
    judged: once || verify ? { mock, settings, file: path, reported } : undefined,
    stop: mock.stop,
    protocol: isNamed ? resolveWire({ protocol, encoding: 'binary' }) : undefined,
    encoding: 'binary',
  };
}

async function loadFile(nameOrPath: string): Promise<LoadedHandler> {
  if (!existsSync(resolve(nameOrPath))) throw new UsageError(notFound(nameOrPath));
  const kind = { what: 'handler', example };
  const exported = await loadExports(nameOrPath, kind);
  const main = defaultExportOf(exported, nameOrPath, kind);
  const exports = handlerExportsOf(exported, nameOrPath);
  try {
    return { handler: resolveHandler(main), exports };
  } catch (error) {
    throw new UsageError(`the default export of ${nameOrPath} cannot be used: ${(error as Error).message}`);
  }
}

/** The path of a handler file; undefined for a handler that is not a file. */
export function handlerPath(nameOrPath: string): string | undefined {
  return handlersByName[nameOrPath] || /^(exec|proxy):/.test(nameOrPath) ? undefined : resolve(nameOrPath);
}

function notFound(nameOrPath: string): string {
  const names = Object.keys(handlersByName);
  const listen = /^(tcp:|unix:|:?\d+$|.*:\d+$)/.test(nameOrPath);
  if (listen) return `"${nameOrPath}" looks like an address; write: yodel serve --listen ${nameOrPath}`;
  if (/[/\\.]/.test(nameOrPath)) return `the handler file ${nameOrPath} does not exist`;
  const nearest = nearestWord(nameOrPath, names);
  const hint = nearest
    ? `did you mean "${nearest}"?`
    : `use ${names.join(', ')}, exec:COMMAND, proxy:ADDRESS, or a file such as ./handler.ts`;
  return `there is no handler "${nameOrPath}"; ${hint}`;
}
