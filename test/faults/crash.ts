/**
 * Kills a server with a journal at a random moment under load, and checks the journal: each message whose reply a client
 * received is in it exactly once, and in the order in which the client sent them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { readJournal } from '../../src/journal/reader.ts';
import { commandPath } from '../support/process/command.ts';
import { environmentOfTest } from '../support/process/environment.ts';
import { waitUntil } from '../support/process/process.ts';

/** The messages of one client, and how many were answered. */
export interface Sent {
  /** The prefix of its messages. */
  readonly name: string;
  answered: number;
}

/** A running server. */
export interface CrashServer {
  readonly process: ChildProcess;
  readonly port: number;
  /** Time from its start until it listened, in milliseconds. */
  readonly readyMs: number;
}

/** Starts a server with this journal. */
export async function startServer(file: string, more: readonly string[] = []): Promise<CrashServer> {
  const began = performance.now();
  const args = ['serve', '--listen', '127.0.0.1:0', '--quiet', '--journal', file, ...more];
  const child = spawn(process.execPath, [commandPath, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environmentOfTest(),
  });
  const port = await new Promise<number>((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said += chunk;
      const [, found] = /listening on \S+:(\d+)/.exec(said) ?? [];
      if (found) resolve(Number(found));
    });
    child.on('exit', (status) => reject(new Error(`the server ended with status ${status}: ${said}`)));
  });
  return { process: child, port, readyMs: performance.now() - began };
}

/** A client that sends numbered messages, `window` of them in flight, until its connection breaks. */
export function startClient(port: number, name: string, window: number): Sent & { readonly done: Promise<void> } {
  const client = { name, answered: 0, done: Promise.resolve() };
  const socket: Socket = connect(port, '127.0.0.1');
  let next = 0;
  let rest = '';
  const send = () => {
    let text = '';
    while (next < client.answered + window) text += `${name}:${next++}\n`;
    if (text !== '') socket.write(text);
  };
  socket.on('connect', send).on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line !== `${name}:${client.answered}`) throw new Error(`a wrong reply: ${line}`);
      client.answered++;
    }
    send();
  });
  client.done = new Promise((resolve) => {
    socket.on('error', () => undefined).on('close', () => resolve());
  });
  return client;
}

/** What is wrong with the journal, as text. Empty when every answered message is there. */
export async function missingOf(file: string, clients: readonly Sent[]): Promise<string[]> {
  const problems: string[] = [];
  const seen = new Map<string, number>();
  const reader = readJournal(file);
  let sequence: number | undefined;
  for await (const entry of reader.read()) {
    if (sequence !== undefined && entry.sequence !== sequence + 1) problems.push(`a gap after ${sequence}`);
    sequence = entry.sequence;
    const [name = '', number = ''] = Buffer.from(entry.bytes).toString().split(':');
    const expected = seen.get(name) ?? 0;
    if (Number(number) !== expected) problems.push(`${name}:${number} instead of ${name}:${expected}`);
    seen.set(name, expected + 1);
  }
  await reader.close();
  for (const { name, answered } of clients) {
    const recorded = seen.get(name) ?? 0;
    if (recorded < answered) problems.push(`${answered} messages of ${name} were answered, ${recorded} are recorded`);
  }
  return problems;
}

/** The result of one kill. */
export interface Crash {
  readonly clients: readonly Sent[];
  /** Time until the server listened, after the previous crash, in milliseconds. */
  readonly readyMs: number;
}

/** Starts a server and clients, and kills the server after a random time. */
export async function crash(file: string, round: number): Promise<Crash> {
  const server = await startServer(file);
  const windows = [1, 1, 1, 1, 4, 16, 64, 256];
  const clients = windows.map((window, index) => startClient(server.port, `r${round}c${index}`, window));
  await waitUntil('a client has a reply', () => clients.some(({ answered }) => answered > 0));
  await delay(Math.random() * 300);
  const gone = new Promise((resolve) => server.process.on('exit', resolve));
  server.process.kill('SIGKILL');
  await Promise.all([gone, ...clients.map(({ done }) => done)]);
  return { clients, readyMs: server.readyMs };
}
