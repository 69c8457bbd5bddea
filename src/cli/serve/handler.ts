/** The handler that `yodel serve` was asked for, with all that flags say of it. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { formatPeer } from '../../address.ts';
import type { Encoding } from '../../framing/framing.ts';
import type { ExecOptions } from '../../handlers/exec/settings.ts';
import { withFaults } from '../../handlers/faults.ts';
import type { HandlerObject } from '../../session/handler.ts';
import { escapeText } from '../../terminal/escape.ts';
import { UsageError } from '../fail.ts';
import { readFile } from '../files.ts';
import { faultsOf, quantityOf } from './handler-flags.ts';
import { handlerPath, type LoadedHandler, loadHandler } from './load-handler.ts';
import type { Say } from './outputs.ts';
import type { ServeSettings } from './settings.ts';

/** A handler, and the framing for it: what the flag says, else what the handler is made for, else lines. */
export interface FramedHandler {
  readonly handler: HandlerObject;
  readonly framing: string;
  /** What the flag says, else what the handler needs; undefined: as the framing has it. */
  readonly encoding: Encoding | undefined;
}

/**
 * Makes it, or loads it.
 *
 * @param say where what its children print on stderr goes
 * @throws UsageError, YodelError when there is none, or it cannot be used
 */
export async function handlerFor(settings: ServeSettings, say: Say): Promise<FramedHandler> {
  const { flags, handler: name } = settings;
  const faults = faultsOf(flags);
  const { handler, framing, encoding } = await plainHandler(settings, say);
  const given = flags.framing as string | undefined;
  if (given !== undefined && framing !== undefined && given !== framing) {
    throw new UsageError(`${name} is made for the framing ${framing}, not for ${given}; leave --framing out`);
  }
  return {
    handler: faults ? withFaults(handler, faults) : handler,
    framing: given ?? framing ?? 'lines',
    encoding: (flags.encoding as Encoding | undefined) ?? encoding,
  };
}

/** The files to be looked at for changes. @throws UsageError when `--watch` has none */
export function watchedFiles({ handler, flags }: ServeSettings): string[] {
  if (flags.watch !== true) return [];
  const path = handlerPath(handler);
  if (path === undefined) throw new UsageError(`--watch is for a handler file, and "${handler}" is none`);
  return [path];
}

async function plainHandler({ handler, flags }: ServeSettings, say: Say): Promise<LoadedHandler> {
  const [, kind, rest = ''] = /^(exec|proxy):(.*)$/s.exec(handler) ?? [];
  if (kind !== 'exec' && (flags.shell === true || flags.execPerMessage === true)) {
    throw new UsageError(`--${flags.shell === true ? 'shell' : 'exec-per-message'} is for exec:COMMAND`);
  }
  if (kind === 'exec') return { handler: await execHandler(rest, flags, say) };
  if (kind === 'proxy') return { handler: await proxyHandler(rest, flags) };
  return await loadHandler(handler, { lenient: flags.lenient === true, say });
}

async function execHandler(command: string, flags: ServeSettings['flags'], say: Say): Promise<HandlerObject> {
  const { exec } = await import('../../handlers/exec.ts');
  const { commandWords } = await import('../../handlers/exec/command-words.ts');
  if (flags.shell !== true) checkCommand(commandWords(command)[0]);
  const options: ExecOptions = {
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
    tell: (line, { peer, id }) => say(`${formatPeer(peer)}#${id}: ${escapeText(line)}`),
  };
  return exec(command, options);
}

async function proxyHandler(address: string, flags: ServeSettings['flags']): Promise<HandlerObject> {
  if (address === '') throw new UsageError('proxy: needs an address; write for example proxy:127.0.0.1:6379');
  const { proxy } = await import('../../handlers/proxy.ts');
  const file = flags.proxyCacert as string | undefined;
  return proxy(address, {
    tls: {
      ca: file === undefined ? undefined : readFile(file),
      servername: flags.proxyServername as string | undefined,
      insecure: flags.proxyInsecure === true,
    },
  });
}

/** A slip of the pen should be known now, and not to the first client. @throws UsageError */
function checkCommand(file: string): void {
  const folders = file.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
  const isProgram = (path: string) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      // It is not there, or not for us.
      return false;
    }
  };
  if (folders.some((folder) => isProgram(folder === '' ? file : join(folder, file)))) return;
  const where = file.includes('/') ? 'no program' : 'not in PATH';
  throw new UsageError(`exec: cannot run "${file}": it is ${where}; with --shell a shell reads the command`);
}
