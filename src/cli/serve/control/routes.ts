/** What the control API of `yodel serve --control` answers, without HTTP. */
import { formatPeer } from '../../../address.ts';
import { YodelError } from '../../../errors.ts';
import { needsMessages } from '../../../handlers/faults/fault.ts';
import type { ActiveFault, Faults } from '../../../handlers/faults/fault-set.ts';
import type { Session } from '../../../session/public-session.ts';
import { version } from '../../version.ts';

/** What is controlled. */
export interface Controlled {
  /** The newest faults: a reload may replace them. */
  faults(): Faults;
  sessions(): Iterable<Session>;
  /** The address of the server behind a proxy. */
  readonly upstream: string | undefined;
  /** Whether bytes pass without a framing. */
  readonly passesBytes: boolean;
}

/** A request. */
export interface ControlRequest {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  readonly body: string;
}

/** A response: its status, and the body as JSON; undefined for none. */
export interface ControlResponse {
  readonly status: number;
  readonly body?: object | undefined;
}

interface Route {
  readonly method: string;
  /** Each group is an argument. */
  readonly path: RegExp;
  /** As errors and documents show it. */
  readonly form: string;
  answer(controlled: Controlled, argument: string, body: string): ControlResponse;
}

/** All requests, in the order of the documents. */
export const routes: readonly Route[] = [
  { method: 'GET', path: /^\/version$/, form: '/version', answer: () => ok({ version }) },
  { method: 'GET', path: /^\/faults$/, form: '/faults', answer: listFaults },
  { method: 'POST', path: /^\/faults$/, form: '/faults', answer: addFault },
  { method: 'DELETE', path: /^\/faults$/, form: '/faults', answer: removeAll },
  { method: 'GET', path: /^\/faults\/([^/]+)$/, form: '/faults/NAME', answer: getFault },
  { method: 'POST', path: /^\/faults\/([^/]+)$/, form: '/faults/NAME', answer: changeFault },
  { method: 'DELETE', path: /^\/faults\/([^/]+)$/, form: '/faults/NAME', answer: removeFault },
  { method: 'POST', path: /^\/reset$/, form: '/reset', answer: removeAll },
  { method: 'GET', path: /^\/sessions$/, form: '/sessions', answer: listSessions },
  { method: 'GET', path: /^\/sessions\/(\d+)$/, form: '/sessions/ID', answer: getSession },
  { method: 'POST', path: /^\/sessions\/(\d+)\/close$/, form: '/sessions/ID/close', answer: endSession('close') },
  { method: 'POST', path: /^\/sessions\/(\d+)\/reset$/, form: '/sessions/ID/reset', answer: endSession('reset') },
];

/** Answers a request. */
export function answerControl(controlled: Controlled, { method, path, body }: ControlRequest): ControlResponse {
  const matching = routes.filter((route) => route.path.test(path));
  if (matching.length === 0) {
    return failure(404, `there is no ${path}`, `try ${[...new Set(routes.map(({ form }) => form))].join(', ')}`);
  }
  const route = matching.find((one) => one.method === method);
  if (!route) {
    const methods = matching.map((one) => one.method).join(', ');
    return failure(405, `${method} is not allowed for ${path}`, `use ${methods}`);
  }
  try {
    return route.answer(controlled, decodeURIComponent(route.path.exec(path)?.[1] ?? ''), body);
  } catch (error) {
    // An escape in the path that is none.
    if (error instanceof URIError) return failure(400, 'the path is invalid', 'use letters, digits, "_" and "-"');
    if (!(error instanceof YodelError)) throw error;
    return failure(400, error.message, exampleBody);
  }
}

const exampleBody = 'example: {"name": "slow", "fault": "reply latency 100ms±20ms"}';

/** An error, with what to do about it. */
export function failure(status: number, error: string, hint: string): ControlResponse {
  return { status, body: { error, hint } };
}

function ok(body: object): ControlResponse {
  return { status: 200, body };
}

// Faults.

function listFaults(controlled: Controlled): ControlResponse {
  const faults = controlled.faults();
  return ok({ seed: faults.seed, faults: faults.all.map(shown) });
}

function addFault(controlled: Controlled, _: string, body: string): ControlResponse {
  const { name, fault } = bodyOf(body);
  const faults = controlled.faults();
  if (name !== undefined && faults.get(name)) {
    return failure(409, `there is a fault "${name}" already`, `POST /faults/${name} changes it`);
  }
  const added = faults.add(name === undefined ? fault : `${name}=${fault}`);
  return { status: 201, body: withNote(controlled, added) };
}

function getFault(controlled: Controlled, name: string): ControlResponse {
  const fault = controlled.faults().get(name);
  return fault ? ok(shown(fault)) : noFault(controlled, name);
}

function changeFault(controlled: Controlled, name: string, body: string): ControlResponse {
  const faults = controlled.faults();
  if (!faults.get(name)) return noFault(controlled, name);
  const given = bodyOf(body);
  if (given.name !== undefined && given.name !== name) {
    const hint = `DELETE /faults/${name}, and POST /faults with the new name`;
    return failure(400, `the name of a fault does not change: "${name}" cannot become "${given.name}"`, hint);
  }
  return ok(withNote(controlled, faults.change(name, given.fault)));
}

function removeFault(controlled: Controlled, name: string): ControlResponse {
  return controlled.faults().remove(name) ? { status: 204 } : noFault(controlled, name);
}

function removeAll(controlled: Controlled): ControlResponse {
  controlled.faults().clear();
  return { status: 204 };
}

function noFault(controlled: Controlled, name: string): ControlResponse {
  return failure(404, controlled.faults().noFault(name), 'GET /faults lists them, POST /faults adds one');
}

function shown({ name, text, applied }: ActiveFault): object {
  return { name, fault: text, applied };
}

/** With a warning if the fault needs messages and there are none. */
function withNote({ passesBytes }: Controlled, added: ActiveFault): object {
  if (!passesBytes || !needsMessages(added.fault)) return shown(added);
  const note = 'the proxy has no framing: a message is a line, or a part of one; start it with --protocol or --framing';
  return { ...shown(added), note };
}

/** @throws YodelError `YODEL_INVALID_OPTION` */
function bodyOf(text: string): { readonly name: string | undefined; readonly fault: string } {
  const body = parsed(text);
  if (typeof body !== 'object' || body === null) invalid('the body is not a JSON object');
  const { name, fault, ...rest } = body as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) invalid(`the body has "${unknown}"; it takes "fault", and "name"`);
  if (typeof fault !== 'string') invalid('the body has no "fault", which is a text');
  if (name !== undefined && (typeof name !== 'string' || !/^[\w-]{1,64}$/.test(name))) {
    invalid('"name" takes up to 64 letters, digits, "_" and "-"');
  }
  return { name: name as string | undefined, fault: fault as string };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return invalid('the body is not JSON');
  }
}

function invalid(problem: string): never {
  throw new YodelError('YODEL_INVALID_OPTION', problem);
}

// Sessions.

function listSessions(controlled: Controlled): ControlResponse {
  return ok({ sessions: [...controlled.sessions()].map((session) => shownSession(controlled, session)) });
}

function getSession(controlled: Controlled, id: string): ControlResponse {
  const session = sessionOf(controlled, id);
  return session ? ok(shownSession(controlled, session)) : noSession(id);
}

function endSession(how: 'close' | 'reset') {
  return (controlled: Controlled, id: string): ControlResponse => {
    const session = sessionOf(controlled, id);
    if (!session) return noSession(id);
    if (how === 'close') session.close();
    else session.abort(new YodelError('YODEL_FAULT', 'reset on purpose by the control API'));
    return { status: 204 };
  };
}

function sessionOf(controlled: Controlled, id: string): Session | undefined {
  for (const session of controlled.sessions()) if (session.id === Number(id)) return session;
  return undefined;
}

function noSession(id: string): ControlResponse {
  return failure(404, `there is no session ${id}`, 'GET /sessions lists those that are open');
}

function shownSession({ upstream }: Controlled, session: Session): object {
  const { id, peer, local, durationMs, queued, unsent } = session;
  return {
    id,
    peer: formatPeer(peer),
    local: formatPeer(local),
    upstream,
    ageMs: Math.round(durationMs),
    requests: { messages: session.messagesReceived, bytes: session.bytesReceived },
    replies: { messages: session.messagesSent, bytes: session.bytesSent },
    queuedBytes: queued,
    unsentBytes: unsent,
  };
}
