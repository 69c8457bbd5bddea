/** The errors of listeners. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Address } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import { isSocketFile } from './unix-socket.ts';

/**
 * Explains why listening failed. The runtimes' own errors for socket files mislead, above all if the directory is
 * missing.
 */
export function listenError(address: Address, error: unknown): YodelError {
  const where = `cannot listen on ${address}`;
  if (address.scheme !== 'unix') return systemError(where, error);
  const directory = dirname(address.path);
  if (!existsSync(directory)) {
    return systemError(where, Object.assign(new Error(`no directory ${directory}`), { code: 'ENOENT' }));
  }
  const { code } = systemError(where, error);
  if (code === 'YODEL_ADDRESS_IN_USE') {
    const what = isSocketFile(address.path) ? 'another program listens there' : 'the file there is not a socket';
    return new YodelError(code, `${where}: the address is in use: ${what}; choose another path`, { cause: error });
  }
  if (code !== 'YODEL_PERMISSION_DENIED') return systemError(where, error);
  return new YodelError(code, `${where}: permission denied in ${directory}`, { cause: error });
}

/**
 * A peer left before its handshakes were complete, without having sent a byte. That is no failure: health checks of load
 * balancers and port scans do so all the time.
 */
export class PeerLeft extends YodelError {
  /** @param error what it would be if the peer had sent something */
  constructor({ code, message, cause }: YodelError) {
    super(code, message, { cause });
  }
}

/**
 * The error for a peer that connects and resets before it is accepted. Its address is no longer known, so the rules
 * about peers cannot be applied, and it is not served.
 */
export function resetBeforeAccept(address: Address): YodelError {
  return new YodelError('YODEL_CONNECTION_RESET', `a peer reset its connection before it was accepted on ${address}`);
}

/** The error for a client that did not complete its handshakes in time. @param timeout in milliseconds */
export function handshakeTimedOut(timeout: number): YodelError {
  return new YodelError('YODEL_HANDSHAKE_TIMEOUT', `the handshakes took longer than ${timeout} ms (handshakeTimeout)`);
}

/** The error for a client whose handshakes the server ended because it shuts down. */
export function stoppedHandshake(): YodelError {
  return new YodelError('YODEL_SHUTTING_DOWN', 'the server is shutting down, and the handshakes were not complete');
}

/** The error of a TLS listener without a certificate. */
export function certificateMissing(address: Address): YodelError {
  return new YodelError('YODEL_TLS', `cannot listen on ${address}: TLS needs a certificate and its key`);
}
