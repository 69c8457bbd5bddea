/** What a program decides about requests for a WebSocket. */
import { STATUS_CODES } from 'node:http';
import { YodelError } from '../../errors.ts';
import type { Refusal } from './answer.ts';
import { type HeaderField, isHeaderValue, token } from './http-head.ts';
import type { UpgradeAnswer, UpgradeRequest } from './request.ts';

/** Headers that are the server's own. */
const reserved = /^(?:connection|upgrade|content-length|content-type|transfer-encoding|sec-websocket-.*)$/i;
/** What a client learns of an error of the server. */
const serverFailed: Refusal = { status: 500, reason: 'the server failed' };

/** A decision that was checked: how to grant the upgrade, or why not. */
export type CheckedDecision =
  | { readonly protocol: string | undefined; readonly headers: readonly HeaderField[]; readonly data: unknown }
  | { readonly refusal: Refusal; readonly error?: YodelError | undefined };

/** Checks what `authorizeUpgrade` returned. What is not valid is an error of the server: it refuses the upgrade. */
export function checkDecision(decision: unknown, request: UpgradeRequest): CheckedDecision {
  if (decision === true) return granted({}, request);
  if (decision === false) return { refusal: { status: 403, reason: 'not authorized' } };
  if (typeof decision !== 'object' || decision === null)
    return failed(`returned ${String(decision)}: it must return true, false, or an object such as { status: 401 }`);
  return granted(decision as UpgradeAnswer, request);
}

function granted(
  { status = 101, reason, headers, protocol, data }: UpgradeAnswer,
  request: UpgradeRequest,
): CheckedDecision {
  const fields = fieldsOf(headers ?? {});
  const wrong = fields.find(([name, value]) => !token.test(name) || reserved.test(name) || !isSendable(value));
  if (wrong) return failed(`returned the header ${JSON.stringify(wrong[0])}, whose name or value cannot be sent here`);
  if (status !== 101) {
    const isRefusal = Number.isInteger(status) && status >= 300 && status <= 599;
    if (!isRefusal) return failed(`returned the status ${status}: to refuse an upgrade it takes 300 to 599`);
    return {
      refusal: { status, reason: reason ?? STATUS_CODES[status]?.toLowerCase() ?? 'not authorized', headers: fields },
    };
  }
  const { protocols } = request;
  if (protocol !== undefined && !protocols.includes(protocol))
    return failed(`chose the subprotocol ${JSON.stringify(protocol)}, which the client does not offer`);
  return { protocol: protocol ?? usualProtocol(protocols), headers: fields, data };
}

/** The subprotocol where the program chooses none: some clients fail unless one of those that they offer is chosen. */
export function usualProtocol([first]: readonly string[]): string | undefined {
  return first !== undefined && token.test(first) ? first : undefined;
}

function fieldsOf(headers: NonNullable<UpgradeAnswer['headers']>): HeaderField[] {
  return Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, String(value)] as const),
  );
}

function isSendable(value: string): boolean {
  return isHeaderValue(value) && !/[^\0-\xff]/.test(value);
}

/** The decision where `authorizeUpgrade` threw. */
export function failedWith(thrown: unknown): CheckedDecision {
  return failed(`failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`, thrown);
}

function failed(what: string, cause?: unknown): CheckedDecision {
  const error = new YodelError('YODEL_HANDLER_FAILED', `authorizeUpgrade ${what}`, { cause });
  return { refusal: serverFailed, error };
}
