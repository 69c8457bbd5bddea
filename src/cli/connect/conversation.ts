/**
 * A conversation by hand: a line typed is a message sent, and what comes is shown above the line that is being typed.
 *
 * Messages go out in the order of their lines, as fast as the server and the terminal take them: what cannot leave yet
 * waits here, and when much waits, no more keys are read. A message is shown when it has been handed to the connection, so
 * what does not stand on the screen was not sent.
 */
import { writeFileSync } from 'node:fs';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { systemError, YodelError } from '../../errors.ts';
import { formatPlural } from '../../format/figures.ts';
import { parseQuantity } from '../../format/units.ts';
import { parseBytes } from '../../framing/escapes.ts';
import { encode } from '../../framing/framing.ts';
import type { Message } from '../../framing/message.ts';
import { Histogram } from '../../load/histogram.ts';
import { Queue } from '../../queue.ts';
import { escapeText } from '../../terminal/escape.ts';
import { History, historyPath } from '../../terminal/history.ts';
import { LineInput } from '../../terminal/input.ts';
import type { ShownLine } from '../../terminal/screen.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';
import { Terminal } from '../../terminal/terminal.ts';
import type { Recording } from '../../transcript/record.ts';
import { exitStatus } from '../fail.ts';
import {
  type CommandName,
  type Completion,
  complete,
  helpLines,
  readEntered,
  talkCommands,
} from './conversation-commands.ts';
import { ConversationRecord } from './conversation-record.ts';
import { ConversationView, formatMilliseconds } from './conversation-view.ts';
import { Link, type Loss } from './link.ts';
import type { ConnectSettings } from './settings.ts';

/** Above this many bytes that the connection has not taken, lines wait. */
const unsentMark = 262_144;
/** So many characters of lines may wait; then no more are read. A paste of this size is held whole, so that Ctrl-C is seen. */
const waitingMark = 67_108_864;
/** So many messages may be sent before others have their turn: keys, and what comes. */
const messagesPerTurn = 100;
/** With no reply due, how long a server may take to end its side: somebody is waiting. */
const patienceMs = 1000;

/** How a conversation ended. */
export interface Outcome {
  readonly status: number;
  /** What it failed by, if it did. */
  readonly error: YodelError | undefined;
}

/** One conversation, from its first connection to its last. */
export class Conversation {
  readonly #settings: ConnectSettings;
  readonly #history = new History(historyPath());
  readonly #paint = paintFor(wantsColor(process.stdout));
  readonly #record = new ConversationRecord();
  /** What is written as it happens. */
  #recording: Recording | undefined;
  readonly #roundTrips = new Histogram();
  readonly #input: LineInput;
  readonly #terminal: Terminal;
  readonly #view: ConversationView;
  readonly #link: Link;
  /** Lines that were entered and not sent yet. */
  readonly #waiting = new Queue<string>();
  #waitingSize = 0;
  #isSending = false;
  /** Those who wait until it is connected. */
  #whenOpen: (() => void)[] = [];
  /** When each message was sent whose reply has not come, oldest first. */
  #sentAt = new Queue<number>();
  #sent = { messages: 0, bytes: 0 };
  #received = { messages: 0, bytes: 0 };
  #connectedAt: number | undefined;
  #connections = 0;
  /** What was said last about the connection that is lost. */
  #lossSaid: string | undefined;
  #escapes: boolean;
  /** Ends a `:repeat` that is under way. */
  #stopRepeat: (() => void) | undefined;
  readonly #writtenFiles = new Set<string>();
  #isEnding = false;
  #status: number = exitStatus.good;
  #error: YodelError | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(settings: ConnectSettings) {
    const { address, tls, framing, connectTimeoutMs, reconnect, byHand } = settings;
    this.#settings = settings;
    this.#escapes = byHand.escapes;
    this.#input = new LineInput(this.#history.load(), {
      enter: (line) => this.#enter(line),
      paste: (line) => this.#send(line),
      interrupt: (typed) => this.#interrupt(typed),
      end: () => this.#end(exitStatus.good),
      suspend: () => this.#terminal.suspend(),
      clear: () => this.#terminal.screen.clear(),
      complete: (before) => this.#complete(before),
    });
    this.#terminal = new Terminal({
      key: (key) => {
        if (this.#isEnding) this.#keyAtEnd(key.kind === 'press' ? key.name : '');
        else this.#input.take(key);
        if (!this.#input.inPaste) this.#terminal.screen.changed();
      },
      end: () => this.#end(exitStatus.good),
      line: () => this.#shownLine(),
    });
    this.#view = new ConversationView(byHand, this.#paint, () => this.#terminal.screen.columns);
    const options = { tls, framing, encoding: 'binary', connectTimeout: connectTimeoutMs } as const;
    this.#link = new Link(address, options, reconnect, {
      open: () => this.#opened(),
      message: (message) => this.#show(message),
      lost: (loss) => this.#lost(loss),
    });
  }

  /** Talks until the user or the server ends. @throws YodelError when there is no connection, and it is not to be tried again */
  async run(): Promise<Outcome> {
    const { reconnect } = this.#settings;
    // While it is tried again and again, commands can be typed.
    if (!reconnect) await this.#link.connect();
    this.#listenToSignals();
    this.#terminal.open();
    if (reconnect) await this.#link.connect();
    await this.#link.run();
    this.#recording?.end(this.#isEnding ? '>' : '<');
    clearTimeout(this.#silence);
    this.#stopRepeat?.();
    this.#leave();
    return { status: this.#status, error: this.#error };
  }

  #listenToSignals(): void {
    for (const [signal, status] of [
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      process.on(signal, () => {
        // The shell's prompt should not stand behind what was being typed.
        this.#leaveLine();
        this.#terminal.close();
        process.exit(status);
      });
    }
    // From another program; the key is read as a key.
    process.on('SIGINT', () => this.#interrupt(''));
  }

  #shownLine(): ShownLine | undefined {
    if (this.#isEnding) return undefined;
    const connected = this.#link.client !== undefined;
    const text = connected ? '> ' : 'not connected> ';
    const shown = this.#input.shown(text);
    const calls = !connected && shown.prompt === text;
    return { ...shown, paintPrompt: (part) => (calls ? this.#paint('yellow', part) : part) };
  }

  // The connection.

  #opened(): void {
    const { address } = this.#settings;
    this.#connections++;
    this.#lossSaid = undefined;
    this.#connectedAt = performance.now();
    this.#recording ??= this.#settings.beginRecording?.((error) => this.#cannotRecord(error));
    if (this.#connections > 1) this.#say(`connected again to ${address}`);
    else this.#print(`connected to ${address}: Enter sends, :help helps, Ctrl-D ends`);
    for (const resolve of this.#whenOpen.splice(0)) resolve();
  }

  /** It is reported when the terminal is given back. */
  #cannotRecord(error: YodelError): void {
    this.#leaveLine();
    this.#error = error;
    this.#endWhenSent();
  }

  #lost({ error, wasRequested, isFinal }: Loss): void {
    const wasConnected = this.#connectedAt !== undefined;
    this.#connectedAt = undefined;
    this.#stopRepeat?.();
    if (isFinal) {
      this.#leaveLine();
      this.#error ??= error;
    }
    const unanswered = this.#sentAt.takeAll().length;
    if (wasRequested && isFinal) return;
    const ended = wasConnected ? 'the server ended the connection' : 'not connected';
    const what = wasRequested ? 'the connection was given up' : (error?.message ?? ended);
    const then = isFinal ? '' : '; trying again';
    const lost = unanswered > 0 && !isFinal ? `; no reply came to ${formatPlural(unanswered, 'message')}` : '';
    // A final error is reported when the terminal is given back.
    if (isFinal && error) return;
    const said = `${what}${lost}${then}`;
    // Once is enough, however often it is tried.
    if (said !== this.#lossSaid) this.#say(said);
    this.#lossSaid = said;
  }

  #show(message: Message): Promise<void> | undefined {
    const sentAt = this.#sentAt.shift();
    const roundTrip = sentAt === undefined ? undefined : performance.now() - sentAt;
    if (roundTrip !== undefined) this.#roundTrips.record(roundTrip);
    this.#received.messages++;
    this.#received.bytes += message.size;
    const { bytes } = message;
    this.#record.add('received', bytes);
    this.#recording?.add('<', message.frame);
    this.#print(this.#view.received({ bytes, frame: message.frame, roundTrip }));
    const { screen } = this.#terminal;
    return screen.isBehind ? screen.caughtUp() : undefined;
  }

  // Lines.

  /** Enter was pressed. Returns what stays in the line. */
  #enter(line: string): string {
    const entered = readEntered(line);
    if (entered.kind === 'message' && !this.#link.client) {
      this.#say('not connected, so the line was not sent; Enter sends it when it is');
      return line;
    }
    if (!this.#terminal.echoes && entered.kind !== 'message') this.#print(this.#paint('dim', `> ${escapeText(line)}`));
    this.#history.add(line);
    this.#input.remember(line);
    if (entered.kind === 'message') this.#send(entered.text);
    else if (entered.kind === 'mistake') this.#say(entered.text);
    else this.#run(entered.name, entered.rest);
    return '';
  }

  /** Sends a line when all before it are sent. */
  #send(line: string): void {
    if (this.#isEnding) return;
    this.#waiting.push(line);
    this.#waitingSize += line.length;
    if (this.#waitingSize > waitingMark) this.#terminal.pause();
    void this.#sendWaiting();
  }

  async #sendWaiting(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let sent = 1; this.#waiting.length > 0; sent++) {
      await this.#untilThereIsRoom();
      const line = this.#waiting.shift();
      if (line === undefined) break;
      this.#waitingSize -= line.length;
      if (this.#waitingSize < waitingMark / 2) this.#terminal.resume();
      this.#sendText(line, this.#escapes);
      if (sent % messagesPerTurn === 0) await endOfTurn();
    }
    this.#isSending = false;
    this.#endWhenSent();
  }

  /** Resolves in the moment in which a message may be sent. */
  async #untilThereIsRoom(): Promise<void> {
    const { screen } = this.#terminal;
    for (;;) {
      const { client } = this.#link;
      if (!client) await new Promise<void>((resolve) => this.#whenOpen.push(resolve));
      else if (client.unsent > unsentMark) await client.drained();
      else if (screen.isBehind) await screen.caughtUp();
      else return;
    }
  }

  /** Sends text, in which there may be escapes. Returns whether it could be sent. */
  #sendText(text: string, escapes: boolean): boolean {
    const { client } = this.#link;
    const { framing } = this.#settings;
    try {
      if (!client) throw new YodelError('YODEL_NOT_CONNECTED', 'not connected, so it was not sent');
      const bytes = escapes ? parseBytes(text) : Buffer.from(text);
      // First, for it may be that the message cannot be sent.
      const frame = encode(framing, bytes);
      client.send(bytes);
      this.#sent.messages++;
      this.#sent.bytes += bytes.length;
      this.#sentAt.push(performance.now());
      this.#record.add('sent', bytes);
      this.#recording?.add('>', frame);
      if (!this.#terminal.echoes || this.#view.settings.hex) this.#print(this.#view.sent({ bytes, frame }));
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#print(`> ${escapeText(text)}`);
      this.#say(error.message);
      return false;
    }
    if (this.#sent.messages >= this.#settings.count) this.#endByCount();
    return true;
  }

  #endByCount(): void {
    if (this.#waiting.length > 0) this.#forgetWaiting();
    this.#end(exitStatus.good);
  }

  // Commands.

  #run(name: CommandName, rest: string): void {
    switch (name) {
      case 'help':
        for (const line of helpLines(rest)) this.#print(line);
        break;
      case 'send':
        this.#sendText(rest, true);
        break;
      case 'repeat':
        this.#startRepeat(rest);
        break;
      case 'hex':
      case 'timestamps':
      case 'raw':
        this.#view.settings[name] = this.#switched(name, this.#view.settings[name], rest);
        break;
      case 'escapes':
        this.#escapes = this.#switched(name, this.#escapes, rest);
        break;
      case 'reconnect':
        this.#link.reconnect();
        break;
      case 'stats':
        for (const line of this.#stats()) this.#print(line);
        break;
      case 'save':
        this.#save(rest.trim());
        break;
      case 'clear':
        this.#terminal.screen.clear();
        break;
      case 'quit':
        this.#end(exitStatus.good);
        break;
    }
  }

  #switched(name: string, value: boolean, rest: string): boolean {
    const word = rest.trim();
    if (word !== '' && word !== 'on' && word !== 'off') {
      this.#say(`:${name} takes on or off, not "${word}"`);
      return value;
    }
    const wanted = word === '' ? !value : word === 'on';
    this.#say(`${name} ${wanted ? 'on' : 'off'}`);
    return wanted;
  }

  #startRepeat(rest: string): void {
    const [, times = '', interval = '0', text] =
      /^(\d+k?)\s+(?:(\d+(?:\.\d+)?(?:ms|s|m|min|h))\s+)?(.+)$/s.exec(rest) ?? [];
    const total = parseQuantity('count', times);
    const intervalMs = parseQuantity('duration', interval);
    if (!total || intervalMs === undefined || text === undefined) {
      this.#say(`it is written :repeat ${talkCommands.repeat.takes}, as in :repeat 10 1s ping`);
      return;
    }
    if (!this.#link.client) return this.#say('not connected, so nothing was sent');
    this.#stopRepeat?.();
    void this.#repeat(total, intervalMs, text);
  }

  async #repeat(total: number, intervalMs: number, text: string): Promise<void> {
    const stopped = Promise.withResolvers<void>();
    let isStopped = false;
    let sent = 0;
    const stop = () => {
      isStopped = true;
      stopped.resolve();
      this.#stopRepeat = undefined;
      if (sent < total) this.#say(`:repeat ended after ${sent} of ${total}`);
    };
    this.#stopRepeat = stop;
    while (sent < total) {
      await Promise.race([this.#untilThereIsRoom(), stopped.promise]);
      if (isStopped || !this.#sendText(text, this.#escapes)) break;
      sent++;
      if (sent < total && intervalMs > 0) {
        const timer = Promise.withResolvers<void>();
        const pause = setTimeout(timer.resolve, intervalMs);
        await Promise.race([timer.promise, stopped.promise]);
        clearTimeout(pause);
      } else if (sent % messagesPerTurn === 0) await endOfTurn();
      if (isStopped) break;
    }
    if (!isStopped) stop();
    this.#endWhenSent();
  }

  #stats(): string[] {
    const { address, framing } = this.#settings;
    const since = this.#connectedAt;
    const state =
      since === undefined ? 'not connected' : `connected for ${((performance.now() - since) / 1000).toFixed(1)} s`;
    const times = this.#roundTrips;
    const spread = [50, 90, 99].map((percent) => `p${percent} ${formatMilliseconds(times.percentile(percent))}`);
    const due = this.#sentAt.length > 0 ? `, ${this.#sentAt.length} without a reply` : '';
    return [
      `${address}, framing ${framing.name}: ${state}, ${formatPlural(this.#connections, 'connection')} so far`,
      `sent      ${formatPlural(this.#sent.messages, 'message')}, ${this.#sent.bytes} B${due}`,
      `received  ${formatPlural(this.#received.messages, 'message')}, ${this.#received.bytes} B`,
      ...(times.count > 0 ? [`replies   ${spread.join(', ')}, max ${formatMilliseconds(times.max)}`] : []),
      ...(this.#waiting.length > 0 ? [`waiting   ${formatPlural(this.#waiting.length, 'line')}`] : []),
    ].map(escapeText);
  }

  #save(file: string): void {
    if (file === '') return this.#say('it is written :save FILE');
    try {
      // What was there before is somebody's; what was written from here may be written anew.
      writeFileSync(file, this.#record.toText(this.#settings.framing), {
        flag: this.#writtenFiles.has(file) ? 'w' : 'wx',
      });
      this.#writtenFiles.add(file);
      this.#say(`${formatPlural(this.#record.count, 'message')} written to ${file}`);
    } catch (error) {
      const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
      this.#say(
        exists ? `${file} is there already; give another name` : systemError(`cannot write ${file}`, error).message,
      );
    }
  }

  #complete(before: string): string {
    const completion: Completion | undefined = complete(before);
    // In a message, a tab is a tab.
    if (!completion) return '\t';
    if (completion.insert === '' && completion.choices.length > 1)
      this.#print(completion.choices.map(escapeText).join('  '));
    return completion.insert;
  }

  // The end.

  /** Ctrl-C gives up one thing at a time: what is sent again and again, lines that wait, what is being typed, the conversation. */
  #interrupt(typed: string): void {
    if (this.#stopRepeat) this.#stopRepeat();
    else if (this.#waiting.length > 0) this.#forgetWaiting();
    else if (typed !== '') this.#print(`> ${escapeText(typed)}^C`);
    else if (this.#isEnding) this.#exitAtOnce();
    else this.#end(130);
  }

  #forgetWaiting(): void {
    this.#say(`${formatPlural(this.#waiting.takeAll().length, 'line')} not sent`);
    this.#waitingSize = 0;
    this.#terminal.resume();
    this.#endWhenSent();
  }

  #keyAtEnd(name: string): void {
    if (name === 'C-c') this.#interrupt('');
  }

  #exitAtOnce(): never {
    this.#terminal.close();
    process.exit(130);
  }

  /** No more will be typed: what waits is still sent, and the replies that are due still come. */
  #end(status: number): void {
    if (this.#isEnding) return;
    this.#stopRepeat?.();
    this.#status = status;
    if (this.#waiting.length > 0) {
      const why = this.#link.client ? '' : ' for the connection';
      this.#say(`${formatPlural(this.#waiting.length, 'line')} still to be sent wait${why}; Ctrl-C forgets them`);
    } else this.#print('>');
    this.#isEnding = true;
    this.#terminal.screen.changed();
    this.#endWhenSent();
  }

  #endWhenSent(): void {
    if (!this.#isEnding || this.#waiting.length > 0 || this.#silence) return;
    this.#link.end();
    const patience = this.#sentAt.length > 0 ? this.#settings.waitMs : patienceMs;
    // Off is for ever.
    if (patience > 0) this.#silence = setTimeout(() => this.#link.abort(), patience);
  }

  /** No more can be typed: what was being typed stays on the screen. */
  #leaveLine(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (this.#input.text !== '') this.#print(`> ${escapeText(this.#input.text)}`);
  }

  #leave(): void {
    const unsent = this.#waiting.takeAll().length;
    if (unsent > 0) {
      this.#say(`${formatPlural(unsent, 'line')} not sent`);
      if (this.#status === exitStatus.good) this.#status = exitStatus.failure;
    }
    this.#terminal.close();
  }

  // The screen.

  #print(text: string): void {
    this.#terminal.screen.print(text);
  }

  /** Says something that is not a message. */
  #say(text: string): void {
    this.#print(this.#paint('yellow', escapeText(text)));
  }
}
