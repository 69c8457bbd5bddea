/** What a program decides about requests for a WebSocket. */
import { STATUS_CODES } from 'node:http';
import { textOfThrown, YodelError } from '../../errors.ts';
import { hintFor } from '../../suggestion.ts';
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

/** What an answer may have. */
const known: readonly string[] = ['status', 'reason', 'headers', 'protocol', 'data'] satisfies (keyof UpgradeAnswer)[];

/** Checks what `authorizeUpgrade` returned. What is not valid is an error of the server: it refuses the upgrade. Never throws. */
export function checkDecision(decision: unknown, request: UpgradeRequest): CheckedDecision {
  if (decision === true) return granted({}, request);
  if (decision === false) return { refusal: { status: 403, reason: 'not authorized' } };
  try {
    if (typeof decision !== 'object' || decision === null || Array.isArray(decision))
      return failed(`returned ${String(decision)}: it must return true, false, or an object such as { status: 401 }`);
    // Without this check, a misspelt status would let everyone in.
    const unknown = Object.keys(decision).find((name) => !known.includes(name));
    if (unknown !== undefined) return failed(`returned the unknown property "${unknown}". ${hintFor(unknown, known)}`);
    return granted(decision, request);
  } catch (thrown) {
    return failedWith(thrown);
  }
}

function granted(
  { status = 101, reason, headers, protocol, data }: UpgradeAnswer,
  request: UpgradeRequest,
): CheckedDecision {
  if (reason !== undefined && typeof reason !== 'string') return failed('returned a reason that is no string');
  if (headers !== undefined && !isRecord(headers)) return failed('returned headers that are no plain object');
  const fields = fieldsOf(headers ?? {});
  const wrong = fields.find((field) => !isSendable(field));
  if (wrong) return failed(`returned the header ${JSON.stringify(wrong[0])}, whose name or value cannot be sent here`);
  const sendable = fields.filter(isSendable);
  if (status !== 101) {
    const isRefusal = Number.isInteger(status) && status >= 300 && status <= 599;
    if (!isRefusal) return failed(`returned the status ${status}: to refuse an upgrade it takes 300 to 599`);
    return {
      refusal: { status, reason: reason ?? STATUS_CODES[status]?.toLowerCase() ?? 'not authorized', headers: sendable },
    };
  }
  const { protocols } = request;
  if (protocol !== undefined && !protocols.includes(protocol))
    return failed(`chose the subprotocol ${JSON.stringify(protocol)}, which the client does not offer`);
  return { protocol: protocol ?? usualProtocol(protocols), headers: sendable, data };
}

/** The subprotocol where the program chooses none: some clients fail unless one of those that they offer is chosen. */
export function usualProtocol([first]: readonly string[]): string | undefined {
  return first !== undefined && token.test(first) ? first : undefined;
}

/** An object such as `{ 'Set-Cookie': 'a=b' }`: the fields of a `Headers`, a `Map` or a list of pairs would be lost. */
function isRecord(headers: object): boolean {
  return typeof headers === 'object' && headers !== null && !(Symbol.iterator in headers);
}

function fieldsOf(headers: NonNullable<UpgradeAnswer['headers']>): (readonly [string, unknown])[] {
  return Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => [name, value] as const));
}

function isSendable(field: readonly [string, unknown]): field is HeaderField {
  const [name, value] = field;
  const isAllowed = token.test(name) && !reserved.test(name);
  return isAllowed && typeof value === 'string' && isHeaderValue(value) && !/[^\0-\xff]/.test(value);
}

/** The decision where `authorizeUpgrade` threw. */
export function failedWith(thrown: unknown): CheckedDecision {
  return failed(`failed: ${textOfThrown(thrown)}`, thrown);
}

function failed(what: string, cause?: unknown): CheckedDecision {
  const error = new YodelError('YODEL_HANDLER_FAILED', `authorizeUpgrade ${what}`, { cause });
  return { refusal: serverFailed, error };
}
