/** The control API of `yodel serve --control`: HTTP on loopback, with a token. Loaded only when the flag is given. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { formatPeer, isLoopback, parseAddress, TcpAddress } from '../../../address.ts';
import type { HttpRequest } from '../../../metrics/http-request.ts';
import { type HttpResponse, listenHttp } from '../../../metrics/http-server.ts';
import { escapeStack } from '../../../terminal/escape.ts';
import { UsageError } from '../../fail.ts';
import { controlTokenVariable } from '../../other-variables.ts';
import type { Notify } from '../outputs.ts';
import { answerControl, type Controlled, type ControlResponse, failure } from './routes.ts';

/** A thousand times the longest fault that makes sense. */
const maxBody = 65_536;

/** Parses the address of --control. @throws UsageError if it is not a TCP address of loopback */
export function controlAddress(where: string): TcpAddress {
  const address = parseAddress(where);
  if (!(address instanceof TcpAddress)) {
    throw new UsageError(`--control takes a TCP address such as 127.0.0.1:8474, not ${address}`);
  }
  if (!isLoopback(address)) {
    throw new UsageError(`--control listens on loopback only; write 127.0.0.1:${address.port} instead of ${where}`);
  }
  tokenOf();
  return address;
}

/** Starts the control API, and prints its address and its token, unless that was given. @throws YodelError if it cannot listen */
export async function serveControl(
  address: TcpAddress,
  controlled: Controlled,
  notify: Notify,
): Promise<{ close(): void }> {
  const { token, isGenerated } = tokenOf();
  const answer = async (request: HttpRequest) => {
    try {
      return responseOf(answerHttp(request, token, controlled));
    } catch (error) {
      notify(`the control API failed: ${escapeStack(error)}`);
      return responseOf(failure(500, 'an internal error', 'stderr of yodel has it'));
    }
  };
  const server = await listenHttp(address, {
    purpose: 'control',
    maxBody,
    answer,
    refuse: ({ status, error, hint }) => responseOf(failure(status, error, hint)),
  });
  notify(`control at http://${formatPeer(server.address)}/faults, also /sessions, /reset and /version`);
  notify(isGenerated ? `control token: ${token}` : `control token: that of ${controlTokenVariable}`);
  return server;
}

/** @throws UsageError if the token of the environment cannot be sent in a header */
function tokenOf(): { readonly token: string; readonly isGenerated: boolean } {
  const given = process.env[controlTokenVariable];
  if (!given) return { token: randomBytes(16).toString('hex'), isGenerated: true };
  if (/^[\x21-\x7e]+$/.test(given)) return { token: given, isGenerated: false };
  throw new UsageError(`${controlTokenVariable} takes printable ASCII characters without spaces`);
}

function answerHttp(
  { method, path, headers, body }: HttpRequest,
  token: string,
  controlled: Controlled,
): ControlResponse {
  // A web page whose name resolves to this machine has another Host.
  const host = headers.get('host');
  if (!isLoopbackHost(host)) {
    const wrong = host ? `the host "${host}" is not this machine` : 'the request names no host';
    return failure(403, wrong, 'use 127.0.0.1, [::1] or localhost');
  }
  const [, given = ''] = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '') ?? [];
  if (!isSame(given, token)) {
    return failure(401, 'the token is missing or wrong', 'send the header: Authorization: Bearer TOKEN');
  }
  return answerControl(controlled, { method, path, body });
}

function isLoopbackHost(host: string | undefined): boolean {
  return /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?$/i.test(host ?? '');
}

/** Compares without telling by its duration where the difference is. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function responseOf({ status, body }: ControlResponse): HttpResponse {
  return {
    status,
    headers: {
      'Cache-Control': 'no-store',
      ...(status === 401 && { 'WWW-Authenticate': 'Bearer' }),
      ...(body && { 'Content-Type': 'application/json' }),
    },
    body: body && `${JSON.stringify(body)}\n`,
  };
}
