/** Removes the socket files of servers that no longer run. */
import { lstatSync, rmSync } from 'node:fs';
import type { SocketAddress, UnixAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import type { Connection } from './transport.ts';

/**
 * A server that was killed leaves its socket file behind, which prevents others from listening there. This removes the file
 * when a connection to it is refused. A socket that is in use stays, and so does any other kind of file.
 */
export async function removeStaleSocket(
  address: SocketAddress,
  connect: (address: SocketAddress) => Promise<Connection>,
): Promise<void> {
  if (address.scheme !== 'unix' || !isSocketFile(address.path)) return;
  try {
    (await connect(address)).abort();
  } catch (error) {
    if (error instanceof YodelError && error.code === 'YODEL_CONNECTION_REFUSED') removeFile(address);
    // Any other failure is for `listen` to report.
  }
}

function removeFile(address: UnixAddress): void {
  try {
    rmSync(address.path, { force: true });
  } catch (error) {
    throw systemError(`cannot listen on ${address}, nor remove the socket file that another server left there`, error);
  }
}

/** Whether there is a socket at the path. */
export function isSocketFile(path: string): boolean {
  try {
    return lstatSync(path).isSocket();
  } catch {
    // It does not exist, or permission is denied: `listen` will report that.
    return false;
  }
}
