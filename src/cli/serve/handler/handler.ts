/** The handler that `yodel serve` runs, as its flags configure it. */

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { YodelError } from '../../../errors.ts';
import type { Encoding } from '../../../framing/framing.ts';
import type { FramingText } from '../../../framing/notation.ts';
import type { Protocol } from '../../../framing/protocol.ts';
import type { ProtocolName } from '../../../framing/protocols/protocols.ts';
import { resolveWire, wireText } from '../../../framing/wire.ts';
import type { ExecOptions } from '../../../handlers/exec/settings.ts';
import type { Faults } from '../../../handlers/faults/fault-set.ts';
import { withFaults } from '../../../handlers/faults.ts';
import { type HandlerObject, nameHandler } from '../../../session/handler.ts';
import { wrapHandler } from '../../../session/wrapped-handler.ts';
import { escapeText } from '../../../terminal/escape.ts';
import { UsageError } from '../../fail.ts';
import { readFile } from '../../files.ts';
import { readWire } from '../../wire.ts';
import { hasWireFlags } from '../../wire-flags.ts';
import type { NotifyOf } from '../outputs.ts';
import type { ServeSettings } from '../settings.ts';
import { chatHandler, roomsOf } from './chat.ts';
import { type HandlerExports, noExports } from './exports.ts';
import { quantityOf } from './handler-flag.ts';
import { handlerPath, type JudgedMock, type LoadedHandler, loadHandler } from './load.ts';
import { readMockFlags } from './mock-flags.ts';
import { passesBytes } from './transparent.ts';

/** A handler with the framings and encoding to use: from flags, else from the handler, else lines. */
export interface FramedHandler {
  readonly handler: HandlerObject;
  /** Options of the server that belong to the handler. */
  readonly exports: HandlerExports;
  readonly protocol: Protocol;
  /** A transcript's server whose clients get a verdict. */
  readonly judged: JudgedMock | undefined;
  /** Called when the server begins to shut down. */
  readonly stop: (() => void) | undefined;
}

/**
 * Creates or loads the handler.
 *
 * @param notifyOf receives what the children of `exec` print on stderr
 * @param faults between the handler and its clients
 * @throws UsageError, YodelError if the handler does not exist or cannot be used
 */
export async function handlerFor(
  settings: ServeSettings,
  notifyOf: NotifyOf,
  faults?: Faults | undefined,
): Promise<FramedHandler> {
  const { flags, handler: name } = settings;
  // First, because a transcript may name a framing that the flags load.
  const given = (await readWire(flags)).protocol;
  const {
    handler,
    protocol: needed,
    encoding,
    judged,
    stop,
    exports = noExports,
  } = await plainHandler(settings, notifyOf);
  if (needed && hasWireFlags(flags)) checkSame(name, needed, given);
  const protocol = needed && !hasWireFlags(flags) ? needed : given;
  const resolved = resolveWire({ protocol, encoding: givenEncoding(flags) ?? (needed ? undefined : encoding) });
  const served = faults ? withFaults(handler, faults) : handler;
  return {
    handler: nameHandler(served.start ? withStartFailure(served, name) : served, name),
    exports,
    judged,
    stop,
    protocol: passesBytes(settings) ? { ...resolved, encoding: 'binary', atOnce: true } : resolved,
  };
}

/** What a handler throws when it starts is reported as its own failure, with its stack, and not as one of yodel. */
function withStartFailure(handler: HandlerObject, name: string): HandlerObject {
  return wrapHandler(handler, {
    async start(server) {
      try {
        await handler.start?.(server);
      } catch (thrown) {
        throw new YodelError('YODEL_HANDLER_FAILED', `the handler ${name} cannot start`, { cause: thrown });
      }
    },
  });
}

function givenEncoding(flags: ServeSettings['flags']): Encoding | undefined {
  return flags.encoding as Encoding | undefined;
}

/** @throws UsageError if the flags say other framings than the handler needs */
function checkSame(name: string, needed: Protocol, given: Protocol): void {
  const isSame = needed.framing.name === given.framing.name && needed.replyFraming.name === given.replyFraming.name;
  if (isSame) return;
  throw new UsageError(`${name} uses the ${wireText(needed)}, not ${wireText(given)}; omit the flag`);
}

/** The files whose changes cause a reload. @throws UsageError if `--watch` is given without a handler file */
export function watchedFiles({ handler, flags }: ServeSettings): string[] {
  if (flags.watch !== true) return [];
  const path = handlerPath(handler);
  if (path === undefined) throw new UsageError(`--watch needs a handler file, and "${handler}" is not one`);
  return [path];
}

async function plainHandler({ handler, flags }: ServeSettings, notifyOf: NotifyOf): Promise<LoadedHandler> {
  const mock = readMockFlags(handler, flags);
  const [, kind, rest = ''] = /^(exec|proxy):(.*)$/s.exec(handler) ?? [];
  if (kind !== 'exec' && (flags.shell === true || flags.execPerMessage === true)) {
    throw new UsageError(`--${flags.shell === true ? 'shell' : 'exec-per-message'} is for exec:COMMAND`);
  }
  if (handler === 'chat') return { handler: chatHandler(flags) };
  if (roomsOf(flags)) throw new UsageError(`--room is for chat, and the handler is "${handler}"`);
  if (kind === 'exec') return { handler: await execHandler(rest, flags, notifyOf) };
  if (kind === 'proxy') return { handler: await proxyHandler(rest, flags) };
  return await loadHandler(handler, mock, notifyOf);
}

async function execHandler(command: string, flags: ServeSettings['flags'], notifyOf: NotifyOf): Promise<HandlerObject> {
  const { exec } = await import('../../../handlers/exec.ts');
  const { commandWords } = await import('../../../process/command-words.ts');
  if (flags.shell !== true) checkCommand(commandWords(command)[0]);
  const options: ExecOptions = {
    ...upstreamWire(flags),
    perMessage: flags.execPerMessage === true,
    shell: flags.shell === true,
    timeout: quantityOf(flags, 'duration', 'execTimeout'),
    maxOutput: quantityOf(flags, 'size', 'execMaxOutput') || undefined,
    env: Object.fromEntries(
      ((flags.execEnv as string[] | undefined) ?? []).flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    tell: (line, session) => notifyOf('output', session, (client) => `${client}: ${escapeText(line)}`),
  };
  return exec(command, options);
}

async function proxyHandler(address: string, flags: ServeSettings['flags']): Promise<HandlerObject> {
  if (address === '') throw new UsageError('proxy: needs an address, such as proxy:127.0.0.1:6379');
  const { proxy } = await import('../../../handlers/proxy.ts');
  const file = flags.proxyCacert as string | undefined;
  return proxy(address, {
    ...upstreamWire(flags),
    // What limits a client limits the server behind, too.
    drainTimeout: flags.drainTimeout as number | undefined,
    maxMessageLength: flags.maxMessage as number | undefined,
    tls: {
      ca: file === undefined ? undefined : readFile(file),
      servername: flags.proxyServername as string | undefined,
      insecure: flags.proxyInsecure === true,
    },
  });
}

/** The framings of the command or server behind the handler. */
function upstreamWire(flags: ServeSettings['flags']): Pick<ExecOptions, 'framing' | 'replyFraming' | 'protocol'> {
  // Their texts are checked by the handlers.
  return {
    framing: flags.upstreamFraming as FramingText | undefined,
    replyFraming: flags.upstreamReplyFraming as FramingText | undefined,
    protocol: flags.upstreamProtocol as ProtocolName | undefined,
  };
}

/** Checks that the program exists, so that a typo is reported at once instead of to the first client. @throws UsageError */
function checkCommand(file: string): void {
  const directories = file.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
  const isProgram = (path: string) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      // It does not exist, or cannot be executed.
      return false;
    }
  };
  if (directories.some((directory) => isProgram(directory === '' ? file : join(directory, file)))) return;
  const where = file.includes('/') ? 'not a program' : 'not in PATH';
  throw new UsageError(`exec: cannot run "${file}": it is ${where}; to use shell syntax, add --shell`);
}
