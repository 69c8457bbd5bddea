/** How children are run: options, environment, and the errors of a child. */
import { formatPeer, hostOf } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import type { Protocol } from '../../framing/protocol.ts';
import type { WireOptions } from '../../framing/wire.ts';
import type { Session } from '../../session/public-session.ts';
import { Child, type ChildEnd } from './child.ts';

/**
 * Options of {@link exec}. Times are milliseconds, sizes are bytes. `framing`, `replyFraming` and `protocol` are those of the
 * command's standard input and output, with one child per connection; default: the server's.
 */
export interface ExecOptions extends Omit<WireOptions, 'encoding'> {
  /** Runs a child per message instead of one per connection. Default: no. */
  readonly perMessage?: boolean | undefined;
  /** Passes the command to `/bin/sh -c`. Default: no; it is split into words, and nothing in it is expanded. */
  readonly shell?: boolean | undefined;
  /**
   * The time limit of a child per message. A child per connection is ended when it has not read pending input for this long,
   * or, after its input has ended, has printed nothing for this long. Default 30 s; 0: no limit.
   */
  readonly timeout?: number | undefined;
  /** The longest output of a child per message, or the longest message of a child per connection. Default 1 MiB. */
  readonly maxOutput?: number | undefined;
  /** How long a child may take to end after SIGTERM, before it is killed with everything that it started. Default 2 s. */
  readonly killGrace?: number | undefined;
  /** Environment variables besides those that {@link exec} sets. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Receives what children print on stderr, line by line and not escaped, and how they failed. Default: discarded. */
  readonly tell?: ((line: string, session: Session) => void) | undefined;
}

/** The options with their defaults. */
export interface ExecSettings {
  /** The child's framings; undefined: the server's. */
  readonly protocol: Protocol | undefined;
  readonly words: readonly [string, ...string[]];
  readonly timeoutMs: number;
  readonly maxOutput: number;
  readonly graceMs: number;
  readonly env: Readonly<Record<string, string>>;
  readonly tell: (line: string, session: Session) => void;
}

/** Starts a child for a session, at once or when it is its turn. @param changed called when what is pending has changed */
export function startChild({ words, graceMs, env, tell }: ExecSettings, session: Session, changed: () => void): Child {
  const stderr = (line: string) => tell(line, session);
  const client = hostOf(session.peer) ?? '';
  return new Child({ words, graceMs, client, env: environmentFor(session, env), stderr, changed });
}

/** Variables that programs need to find each other and to print in the user's language. None contains a secret. */
const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

function environmentFor(session: Session, more: Readonly<Record<string, string>>): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of inherited) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return {
    ...environment,
    YODEL_PEER: formatPeer(session.peer),
    YODEL_LOCAL: String(session.local),
    YODEL_SESSION: String(session.id),
    ...more,
  };
}

/** The failure of a child that did not exit by itself; undefined if it did. */
export function failureOf(end: ChildEnd): string | undefined {
  if ('error' in end) return 'cannot be started';
  return end.signal === null ? undefined : `was ended by ${end.signal}`;
}

/** Reports a status other than 0. It is not an error (`grep` exits with 1 for "not found"), but may interest the operator. */
export function reportStatus(end: ChildEnd, session: Session, { tell }: ExecSettings): void {
  if ('status' in end && end.status !== 0) tell(`the command ended with status ${end.status}`, session);
}

/** The error for a command that failed. @param failure follows `the command`, such as `cannot be started` */
export function commandError(failure: string, end: ChildEnd): YodelError {
  const text = `the command ${failure}`;
  const options = 'error' in end ? { cause: end.error } : {};
  return new YodelError('YODEL_COMMAND_FAILED', text, { ...options, reply: text });
}
