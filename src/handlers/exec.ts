/**
 * Passes messages to a program, and sends back what it prints.
 *
 * With one child per connection, its stdin receives the peer's frames unchanged, and the same framing splits its
 * output into messages; a child may have a framing of its own. With one child per message, its stdin receives the message and ends; its whole output is the reply.
 *
 * A peer's input reaches a child only through stdin, never as an argument or in its environment.
 */

import { YodelError } from '../errors.ts';
import { checkShapes, shapesOf } from '../option-shapes.ts';
import { commandWords } from '../process/command-words.ts';
import { defaultGraceMs } from '../process/process-group.ts';
import type { HandlerObject } from '../session/handler.ts';
import { execPerConnection } from './exec/per-connection.ts';
import { execPerMessage } from './exec/per-message.ts';
import type { ExecOptions, ExecSettings } from './exec/settings.ts';
import { otherProtocol, wireShapes } from './forwarding.ts';

/**
 * A handler that runs a command. The command's environment has `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `LANG`, `LC_ALL`,
 * `TZ` and `TMPDIR` of this process, `YODEL_PEER` (`127.0.0.1:51234`), `YODEL_LOCAL` and `YODEL_SESSION` (its number), and
 * `options.env`; nothing else.
 *
 * @param command a command line, or its words
 * @throws YodelError `YODEL_INVALID_OPTION` when it contains no command
 */
export function exec(command: string | readonly string[], options: ExecOptions = {}): HandlerObject {
  checkShapes(options, known, 'exec()');
  const settings: ExecSettings = {
    protocol: otherProtocol(options),
    words: wordsOf(command, options.shell === true),
    timeoutMs: options.timeout ?? 30_000,
    maxOutput: options.maxOutput ?? 1_048_576,
    graceMs: options.killGrace ?? defaultGraceMs,
    env: options.env ?? {},
    tell: options.tell ?? (() => undefined),
  };
  return options.perMessage ? execPerMessage(settings) : execPerConnection(settings);
}

const known = {
  ...wireShapes,
  ...shapesOf(['perMessage', 'shell'], 'boolean'),
  ...shapesOf(['timeout', 'maxOutput', 'killGrace'], 'number'),
  env: 'object',
  tell: 'function',
} as const;

function wordsOf(command: string | readonly string[], shell: boolean): readonly [string, ...string[]] {
  const text = typeof command === 'string' ? command : undefined;
  if (shell) {
    if (text !== undefined && text.trim() !== '') return ['/bin/sh', '-c', text];
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      'the command for the shell is empty or not a string; pass it as one string',
    );
  }
  if (text !== undefined) return commandWords(text);
  const [file, ...args] = command as readonly string[];
  if (file === undefined || file === '') throw new YodelError('YODEL_INVALID_OPTION', 'there is no command');
  return [file, ...args];
}
