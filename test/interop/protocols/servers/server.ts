/** Real servers with their own clients, which the tests of protocols run. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { test } from 'vitest';
import { freePort } from '../../../support/ports.ts';
import { type Running, type RunOptions, run, start } from '../../../support/process/command.ts';

/** A server of a protocol, and a client of it. */
export interface ProtocolProgram {
  readonly name: string;
  /** `test` for tests that need both. Where one is missing it skips them; in CI it fails them, with the install line. */
  readonly test: typeof test.skip;
  /** Starts the server on a free port of 127.0.0.1, which it resolves with. The server ends with the test. */
  start(): Promise<number>;
  /** Runs the client against a port. Resolves with what it prints, the same for each fresh server; rejects if it fails. */
  ask(port: number): Promise<string>;
  /** Matches what `ask` resolves with. */
  readonly answer: RegExp;
}

/**
 * Starts a server on a free port, and on another one when a different program has taken that meanwhile.
 * @param ready what the server prints when it listens; without it, the port is tried until it accepts a connection
 */
export async function startServer(
  program: (port: number) => readonly [string, ...string[]],
  { ready, ...options }: RunOptions & { readonly ready?: RegExp } = {},
): Promise<{ port: number; running: Running }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const running = start(program(port), options);
    try {
      await (ready ? running.saw(ready) : untilListening(port, running));
      return { port, running };
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

/** Resolves when a connection to the port succeeds. Rejects when the program ends first. */
async function untilListening(port: number, { ended }: Running): Promise<void> {
  let outcome: Awaited<typeof ended> | undefined;
  ended.then(
    (it) => {
      outcome = it;
    },
    (error: Error) => {
      outcome = { status: null, signal: null, stdout: Buffer.alloc(0), stderr: error.message };
    },
  );
  while (!(await accepts(port))) {
    if (outcome) throw new Error(`the server ended before it listened: ${outcome.stderr || outcome.stdout}`);
    await delay(10);
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    // Where nobody listens, TCP connects a socket to itself if its own port happens to be the same.
    return socket.localPort !== port;
  } catch {
    // Nobody listens there yet.
    return false;
  } finally {
    socket.destroy();
  }
}

/** Runs a client to its end and resolves with its stdout. Rejects if it fails. */
export async function printed(program: readonly [string, ...string[]], input = ''): Promise<string> {
  const { status, stdout, stderr } = await run(program, { input });
  if (status !== 0) throw new Error(`${program[0]}: exit status ${status}: ${stderr}\n${stdout}`);
  return stdout.toString();
}

/** Runs a Python program with the port as its only argument. It uses Debian's Python, for which the packages are. */
export async function python(source: string, port: number): Promise<string> {
  return await printed(['/usr/bin/python3', '-c', source, String(port)]);
}
