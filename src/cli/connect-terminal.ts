/** `yodel connect` by hand: a line typed is a message sent; replies are shown with their round-trip time. */
import * as readline from 'node:readline';
import { type Client, connect } from '../client/client.ts';
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { ConnectSettings } from './connect.ts';
import { exitStatus, report } from './fail.ts';
import { harmlessBytes, harmlessText } from './harmless.ts';
import { History, historyPath } from './history.ts';
import { type Paint, paintFor, wantsColor } from './style.ts';

/** Talks until the user or the server ends. Resolves with the exit status. */
export async function talk(settings: ConnectSettings): Promise<number> {
  const { address, tls, framing, connectTimeoutMs, waitMs } = settings;
  let failure: YodelError | undefined;
  const client = await connect(address, {
    tls,
    framing,
    encoding: 'binary',
    connectTimeout: connectTimeoutMs,
    onStateChange: (_state, error) => {
      failure ??= error;
    },
  });
  const conversation = new Conversation(client, settings.count, waitMs);
  process.stderr.write(`connected to ${address}: type a message and press Enter; Ctrl-D ends\n`);
  const status = await conversation.run();
  if (!failure) return status;
  report(failure);
  return exitStatus.failure;
}

class Conversation {
  readonly #client: Client;
  readonly #history = new History(historyPath());
  readonly #paint: Paint = paintFor(wantsColor(process.stdout));
  readonly #screen: readline.Interface;
  /** When each message was sent whose reply has not come, oldest first. */
  #sentAt: number[] = [];
  readonly #waitMs: number;
  #left: number;
  #ending = false;
  #status: number = exitStatus.good;

  constructor(client: Client, count: number, waitMs: number) {
    this.#client = client;
    this.#waitMs = waitMs;
    this.#left = count;
    this.#screen = readline.createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt: '> ',
      history: this.#history.load(),
      historySize: 1000,
      removeHistoryDuplicates: true,
    });
  }

  async run(): Promise<number> {
    this.#screen
      .on('line', (line) => this.#send(line))
      .on('SIGINT', () => this.#interrupt())
      // After Ctrl-Z and fg, readline waits to be asked to go on.
      .on('SIGCONT', () => this.#screen.prompt(true))
      .on('close', () => this.#end());
    process.on('SIGTERM', () => {
      // The shell's prompt should not stand behind what was being typed.
      process.stdout.write('\n');
      process.exit(143);
    });
    this.#screen.prompt();
    const inOrder = await this.#showMessages();
    if (!this.#ending) {
      this.#leaveLine();
      if (inOrder) this.#say('the server ended the connection');
    }
    this.#screen.close();
    await this.#client.closed;
    process.stdin.destroy();
    return this.#status;
  }

  #send(line: string): void {
    if (this.#ending) return;
    this.#history.add(line);
    try {
      this.#client.send(line);
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#say(error.message);
      return;
    }
    this.#sentAt.push(performance.now());
    this.#left--;
    if (this.#left <= 0) this.#screen.close();
    else this.#screen.prompt();
  }

  /** Returns whether the server ended in good order. */
  async #showMessages(): Promise<boolean> {
    try {
      for await (const message of this.#client) this.#show(message);
      return true;
    } catch (error) {
      // The client has told its state's change with the same error, and it is reported from there.
      if (!(error instanceof YodelError)) throw error;
      return false;
    }
  }

  #show(message: Message): void {
    const sentAt = this.#sentAt.shift();
    const time = sentAt === undefined ? '' : this.#paint('dim', `  ${milliseconds(performance.now() - sentAt)}`);
    this.#print(`${this.#paint('green', '<')} ${harmlessBytes(message.bytes)}${time}`);
  }

  /** Ctrl-C: first it clears what is being typed; then it ends the conversation; then it ends at once. */
  #interrupt(): void {
    if (this.#ending) process.exit(130);
    if (this.#screen.line !== '') {
      process.stdout.write('\n');
      this.#screen.write(null, { ctrl: true, name: 'e' });
      this.#screen.write(null, { ctrl: true, name: 'u' });
      this.#screen.prompt();
      return;
    }
    this.#status = 130;
    process.once('SIGINT', () => process.exit(130));
    this.#screen.close();
  }

  /** No more will be typed: the replies that are due still come. */
  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    process.stdout.write('\n');
    this.#client.end();
    this.#awaitServer();
  }

  /** No more can be typed: what was being typed stays on the screen, an empty prompt does not. */
  #leaveLine(): void {
    this.#ending = true;
    if (this.#screen.line === '') {
      readline.cursorTo(process.stdout, 0);
      return;
    }
    this.#screen.write(null, { ctrl: true, name: 'e' });
    process.stdout.write('\n');
  }

  /** With no reply due, a server that does not end its side has only one second for it: somebody is waiting. */
  #awaitServer(): void {
    const timer = setTimeout(() => this.#client.abort(), this.#sentAt.length > 0 ? this.#waitMs : 1000);
    void this.#client.closed.then(() => clearTimeout(timer));
  }

  #say(text: string): void {
    this.#print(this.#paint('yellow', harmlessText(text)));
  }

  /** Prints a line above the one that is being typed, and puts that back as it was. */
  #print(line: string): void {
    if (this.#ending) {
      process.stdout.write(`${line}\n`);
      return;
    }
    // A long line takes several rows of the screen, and the cursor stands in one of them.
    const { rows } = this.#screen.getCursorPos();
    readline.moveCursor(process.stdout, 0, -rows);
    readline.cursorTo(process.stdout, 0);
    readline.clearScreenDown(process.stdout);
    process.stdout.write(`${line}\n`);
    // readline would go up by the rows that its line took when it was last shown, over what has just been printed.
    Object.assign(this.#screen, { prevRows: 0 });
    this.#screen.prompt(true);
  }
}

function milliseconds(time: number): string {
  return `${time < 10 ? time.toFixed(2) : time.toFixed(0)} ms`;
}
