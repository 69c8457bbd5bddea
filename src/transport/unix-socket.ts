/** What a listener must see to before it can listen at a socket file. */
import { existsSync, lstatSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Address, UnixAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import type { Connection } from './transport.ts';

/**
 * A server that was killed leaves its socket file behind, and nobody can listen there again. The file goes when nobody
 * answers at it; any other kind of file stays, and so does a socket that somebody listens at.
 */
export async function removeStaleSocket(
  address: Address,
  connect: (address: Address) => Promise<Connection>,
): Promise<void> {
  if (address.scheme !== 'unix' || !isSocketFile(address.path)) return;
  try {
    (await connect(address)).abort();
  } catch (error) {
    if (error instanceof YodelError && error.code === 'YODEL_CONNECTION_REFUSED') removeFile(address);
    // Any other failure is for `listen` to meet and to report.
  }
}

/** The true reason why listening failed: both runtimes say something else where the socket's folder does not exist. */
export function whyNotListening(address: Address, error: unknown): YodelError {
  const where = `cannot listen on ${address}`;
  if (address.scheme !== 'unix') return systemError(where, error);
  const folder = dirname(address.path);
  if (!existsSync(folder))
    return systemError(where, Object.assign(new Error(`no folder ${folder}`), { code: 'ENOENT' }));
  const { code } = systemError(where, error);
  if (code === 'YODEL_ADDRESS_IN_USE') {
    const what = isSocketFile(address.path) ? 'another program listens there' : 'there is a file that is not a socket';
    return new YodelError(code, `${where}: the address is in use: ${what}; choose another path`, { cause: error });
  }
  if (code !== 'YODEL_PERMISSION_DENIED') return systemError(where, error);
  return new YodelError(code, `${where}: permission denied in ${folder}`, { cause: error });
}

function removeFile(address: UnixAddress): void {
  try {
    rmSync(address.path, { force: true });
  } catch (error) {
    throw systemError(`cannot listen on ${address}, nor remove the socket file of a server that is gone`, error);
  }
}

function isSocketFile(path: string): boolean {
  try {
    return lstatSync(path).isSocket();
  } catch {
    // There is nothing, or nothing that may be seen: `listen` will meet the same.
    return false;
  }
}
