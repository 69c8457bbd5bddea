/** Headless Chromium, over its DevTools protocol: pages that run functions of the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { environmentOfTest } from './process/environment.ts';

/** A page. */
export interface Page {
  /**
   * Runs a function in the page and resolves with its result, or rejects with what it throws and with what the page's console has
   * printed. The function is sent as text: it uses nothing of the test but its arguments, which are sent as JSON, as the result is.
   */
  run<Args extends readonly unknown[], Result>(
    does: (...args: Args) => Result | Promise<Result>,
    ...args: Args
  ): Promise<Result>;
  /** What the console has printed, and errors that no one caught. */
  printed(): string;
}

/** A browser. Its start takes a second or two, so a test file starts one for all its tests. */
export interface Browser {
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

interface Answer {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** The connection to the browser: commands, their answers, and events of the pages. */
class DevTools {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<
    number,
    { resolve: (result: Record<string, unknown>) => void; reject: (error: Error) => void }
  >();
  readonly #listeners = new Map<string, (method: string, params: Record<string, unknown>) => void>();
  #next = 1;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#received(JSON.parse(data.toString()) as Answer));
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Chromium has ended'));
    });
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }

  onEvents(sessionId: string, listener: (method: string, params: Record<string, unknown>) => void): void {
    this.#listeners.set(sessionId, listener);
  }

  #received({ id, sessionId = '', method, params, result, error }: Answer): void {
    if (id === undefined) return this.#listeners.get(sessionId)?.(method ?? '', params ?? {});
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result ?? {});
  }
}

/** Starts Chromium. */
export async function startChromium(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'yodel-chromium-'));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-port=0'];
  const child = spawn('chromium', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // Its processes are a group.
    detached: true,
    env: environmentOfTest(),
  });
  const closed = once(child, 'close');
  const close = async () => {
    if (child.pid) process.kill(-child.pid, 'SIGKILL');
    await closed;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  };
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stderr.on('data', (chunk) => {
      output += String(chunk);
      const found = /DevTools listening on (\S+)/.exec(output)?.[1];
      if (found) resolve(found);
    });
    child.on('error', reject);
    child.on('close', () => reject(new Error(`Chromium has ended: ${output}`)));
  });
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, 'open');
  const tools = new DevTools(socket);
  return { close, open: (address) => openPage(tools, address) };
}

async function openPage(tools: DevTools, url: string): Promise<Page> {
  const { targetId } = await tools.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await tools.send('Target.attachToTarget', { targetId, flatten: true });
  const session = sessionId as string;
  const lines: string[] = [];
  const loaded = Promise.withResolvers<void>();
  tools.onEvents(session, (method, params) => {
    // The page that was there before has a load event, too.
    if (method === 'Page.lifecycleEvent' && params.name === 'load' && params.loaderId !== first) loaded.resolve();
    const line = printedBy(method, params);
    if (line !== undefined) lines.push(line);
  });
  for (const domain of ['Page', 'Runtime', 'Log']) await tools.send(`${domain}.enable`, {}, session);
  const { frameTree } = await tools.send('Page.getFrameTree', {}, session);
  const first = (frameTree as { frame: { loaderId: string } }).frame.loaderId;
  await tools.send('Page.setLifecycleEventsEnabled', { enabled: true }, session);
  await tools.send('Page.navigate', { url }, session);
  await loaded.promise;
  const printed = () => lines.join('\n');
  return {
    printed,
    async run(does, ...args) {
      const expression = `(${does})(...${JSON.stringify(args)})`;
      const options = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = await tools.send('Runtime.evaluate', options, session);
      if (exceptionDetails) throw new Error(`in the page: ${thrown(exceptionDetails)}\nIts console:\n${printed()}`);
      return (result as { value?: unknown }).value as never;
    },
  };
}

interface RemoteObject {
  readonly value?: unknown;
  readonly description?: string;
}

function printedBy(method: string, params: Record<string, unknown>): string | undefined {
  if (method === 'Runtime.exceptionThrown') return thrown(params.exceptionDetails);
  if (method === 'Log.entryAdded') return (params.entry as { text: string }).text;
  if (method !== 'Runtime.consoleAPICalled') return undefined;
  return (params.args as RemoteObject[]).map(({ value, description }) => String(value ?? description)).join(' ');
}

/** The frames are not those of the test, and vitest would look for their files. */
function thrown(details: unknown): string {
  const { text, exception } = details as { text: string; exception?: RemoteObject };
  return String(exception?.description ?? exception?.value ?? text).replaceAll('\n    at ', '\n    in ');
}
