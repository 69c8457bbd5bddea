/**
 * A conversation on a terminal: each entered line is sent as a message, and received messages appear above the line that
 * is being typed.
 *
 * Messages are sent in the order of their lines, as fast as the server and the terminal take them. Lines that cannot be sent
 * yet are queued; when the queue is full, no more keys are read. A message is shown when it is handed to the connection: what
 * is not on the screen was not sent.
 */
import { YodelError } from '../../../errors.ts';
import { formatPlural } from '../../../format/figures.ts';
import type { Message } from '../../../framing/message.ts';
import { type Protocol, protocolOver } from '../../../framing/protocol.ts';
import { websocketClient } from '../../../framing/websocket.ts';
import { wireText } from '../../../framing/wire.ts';
import { escapeText } from '../../../terminal/escape.ts';
import { History, historyPath } from '../../../terminal/history.ts';
import { LineInput } from '../../../terminal/input.ts';
import type { Key } from '../../../terminal/keys.ts';
import { beforePayload } from '../../../terminal/message-parts.ts';
import type { ShownLine } from '../../../terminal/screen.ts';
import { paintFor, wantsColor } from '../../../terminal/style.ts';
import { Terminal } from '../../../terminal/terminal.ts';
import type { Recording } from '../../../transcript/record/recording.ts';
import { exitStatus } from '../../fail.ts';
import { formatHandshake } from '../handshake.ts';
import { hasHeader, parseHeader } from '../message-parts.ts';
import type { ConnectSettings, Switches } from '../settings.ts';
import { isWebSocket } from '../target.ts';
import { Closing } from './closing.ts';
import { parseEntered } from './commands.ts';
import { complete } from './completion.ts';
import { Display } from './display.ts';
import { Link, type Loss } from './link.ts';
import { MessageLog } from './message-log.ts';
import { CommandRunner } from './run-command.ts';
import { Sender } from './sender.ts';
import { Traffic } from './traffic.ts';
import { UnfinishedReply } from './unfinished.ts';

/** How a conversation ended. */
export interface Outcome {
  readonly status: number;
  /** The error that ended it, if one did. */
  readonly error: YodelError | undefined;
}

/** One conversation, over all its connections. */
export class Conversation {
  readonly #settings: ConnectSettings;
  readonly #switches: Switches;
  readonly #paint = paintFor(wantsColor(process.stdout));
  readonly #history = new History(historyPath());
  readonly #input: LineInput;
  readonly #terminal: Terminal;
  readonly #display: Display;
  readonly #commands: CommandRunner;
  readonly #link: Link;
  readonly #sender: Sender;
  readonly #traffic = new Traffic();
  readonly #log = new MessageLog();
  readonly #unfinished: UnfinishedReply;
  /** Of the connection. */
  readonly #protocol: Protocol;
  #recording: Recording | undefined;
  /** The last notice about a lost connection, so that it is not repeated for every attempt to reconnect. */
  #lossNotice: string | undefined;
  /** Nothing more can be typed. */
  #isEnding = false;
  #closing: Closing | undefined;
  #status: number = exitStatus.good;
  #error: YodelError | undefined;

  constructor(settings: ConnectSettings) {
    this.#settings = settings;
    this.#protocol = protocolOver(settings.protocol, isWebSocket(settings.address) ? websocketClient : undefined);
    this.#switches = { ...settings.switches };
    this.#input = this.#createInput();
    this.#terminal = new Terminal({
      key: (key) => this.#takeKey(key),
      end: () => this.#end(exitStatus.good),
      line: () => this.#shownLine(),
    });
    // The frames that a WebSocket client sends are masked.
    const hexOfPayload = isWebSocket(settings.address);
    this.#display = new Display(this.#terminal.screen, this.#paint, this.#switches, hexOfPayload);
    this.#commands = this.#createCommands();
    this.#link = this.#createLink();
    this.#unfinished = this.#createUnfinished();
    this.#sender = new Sender({
      switches: this.#switches,
      header: settings.parts?.header,
      link: this.#link,
      terminal: this.#terminal,
      display: this.#display,
      showing: () => this.#unfinished.settle(),
      sent: (message, frame) => this.#sent(message, frame),
      idle: () => this.#closeWhenSent(),
    });
  }

  /** Runs until the user or the server ends. @throws YodelError when it cannot connect and does not keep trying */
  async run(): Promise<Outcome> {
    const { reconnect } = this.#settings;
    // With --reconnect, commands can be typed while it tries to connect.
    if (!reconnect) await this.#link.connect();
    this.#listenToSignals();
    this.#terminal.open();
    if (reconnect) await this.#link.connect();
    await this.#link.run();
    this.#recording?.end(this.#isEnding ? '>' : '<');
    this.#closing?.stop();
    this.#sender.stopRepeat();
    if (this.#sender.queued > 0) {
      this.#sender.reportQueue();
      if (this.#status === exitStatus.good) this.#status = exitStatus.failure;
    }
    this.#terminal.close();
    return { status: this.#status, error: this.#error };
  }

  #createInput(): LineInput {
    return new LineInput(this.#history.load(), {
      enter: (line) => this.#enter(line),
      paste: (line) => this.#enqueue(line),
      interrupt: (typed) => this.#interrupt(typed),
      end: () => this.#end(exitStatus.good),
      suspend: () => this.#terminal.suspend(),
      clear: () => this.#terminal.screen.clear(),
      complete: (before) => this.#complete(before),
    });
  }

  #createCommands(): CommandRunner {
    const { address } = this.#settings;
    return new CommandRunner({
      display: this.#display,
      switches: this.#switches,
      sendEscaped: (text) => void this.#sender.send(text, true),
      header: (text) => this.#setHeader(text),
      repeat: (request) => this.#sender.repeat(request),
      reconnect: () => this.#link.reconnect(),
      wire: () => this.#wireLines(),
      stats: () => this.#traffic.format(address, this.#protocol, this.#sender.queued),
      transcript: () => ({ text: this.#log.toTranscript(this.#protocol), messages: this.#log.count }),
      clear: () => this.#terminal.screen.clear(),
      quit: () => this.#end(exitStatus.good),
    });
  }

  /** The lines of `:wire`, not escaped. */
  #wireLines(): string[] {
    const { address } = this.#settings;
    const handshake = this.#link.client?.handshake;
    const lines = handshake ? formatHandshake(address, handshake, Date.now()) : ['not connected'];
    return [`${address}, ${wireText(this.#protocol)}`, ...lines];
  }

  #createUnfinished(): UnfinishedReply {
    const { screen } = this.#terminal;
    return new UnfinishedReply({
      display: this.#display,
      message: () => this.#link.unfinished,
      isBehind: () => screen.isBehind,
      hasRow: () => !this.#isEnding && !this.#terminal.echoes,
      changed: () => screen.changed(),
      prompted: () => {
        this.#traffic.prompted();
        this.#closing?.received();
      },
    });
  }

  #createLink(): Link {
    const { address, tls, protocol, connectTimeoutMs, reconnect } = this.#settings;
    const stderr = (line: string) => this.#display.notice(line);
    const options = { tls, protocol, connectTimeout: connectTimeoutMs, stderr };
    return new Link(address, options, reconnect, {
      open: () => this.#opened(),
      message: (message) => this.#received(message),
      arrived: () => {
        this.#unfinished.arrived();
        this.#closing?.received();
      },
      lost: (loss) => this.#lost(loss),
    });
  }

  #listenToSignals(): void {
    for (const [signal, status] of [
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      process.on(signal, () => {
        // The typed line is ended, so that the shell's prompt starts on a new row.
        this.#leaveInput();
        this.#terminal.close();
        process.exit(status);
      });
    }
    // Sent by another program: in raw mode Ctrl-C is a key.
    process.on('SIGINT', () => this.#interrupt(''));
  }

  #takeKey(key: Key): void {
    if (!this.#isEnding) this.#input.take(key);
    else if (key.kind === 'press' && key.name === 'C-c') this.#interrupt('');
    // The last line of a paste is shown when it is complete.
    if (!this.#input.inPaste) this.#terminal.screen.changed();
  }

  #shownLine(): ShownLine | undefined {
    if (this.#isEnding) return undefined;
    const isConnected = this.#link.client !== undefined;
    const prompt = isConnected ? '> ' : 'not connected> ';
    const line = this.#input.shown(prompt);
    const isWarning = !isConnected && line.prompt === prompt;
    const paintPrompt = (part: string) => (isWarning ? this.#paint('yellow', part) : part);
    return { ...line, paintPrompt, above: this.#unfinished.row };
  }

  /** Enter was pressed. Returns what stays in the line. */
  #enter(line: string): string {
    const entered = parseEntered(line);
    if (entered.kind === 'message' && !this.#link.client) {
      this.#display.notice('not connected: the line was not sent; press Enter again when connected');
      return line;
    }
    if (!this.#terminal.echoes && entered.kind !== 'message') this.#display.command(line);
    this.#history.add(line);
    this.#input.remember(line);
    if (entered.kind === 'message') this.#enqueue(entered.text);
    else if (entered.kind === 'mistake') this.#display.notice(entered.text);
    else this.#commands.run(entered.name, entered.rest);
    return '';
  }

  /** `:header`. */
  #setHeader(text: string): void {
    const { framing } = this.#protocol;
    try {
      const header = text === '' ? undefined : parseHeader(text);
      if (header && !hasHeader(framing, header))
        return this.#display.notice(`the framing "${framing.name}" has no header`);
      this.#sender.header = header;
      this.#display.notice(header ? `header ${beforePayload({ header }).replace(/ \| $/, '')}` : 'no header');
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#display.notice(error.message);
    }
  }

  #enqueue(line: string): void {
    if (!this.#isEnding) this.#sender.enqueue(line);
  }

  #complete(before: string): string {
    const completion = complete(before);
    // In a message, Tab inserts a tab.
    if (!completion) return '\t';
    const { insert, choices } = completion;
    if (insert === '' && choices.length > 1) this.#display.print(choices.map(escapeText).join('  '));
    return insert;
  }

  #opened(): void {
    const { address, beginRecording } = this.#settings;
    this.#lossNotice = undefined;
    this.#recording ??= beginRecording?.(this.#protocol, (error) => this.#recordingFailed(error));
    const isFirst = this.#traffic.connected() === 1;
    if (isFirst) this.#display.print(`connected to ${address}: Enter sends, :help lists commands, Ctrl-D ends`);
    else this.#display.notice(`reconnected to ${address}`);
    if (this.#settings.verbose) for (const line of this.#wireLines()) this.#display.print(escapeText(line));
    this.#sender.connected();
  }

  #sent(message: Message, frame: Uint8Array): void {
    this.#traffic.messageSent(message.size);
    this.#log.add('sent', frame);
    this.#recording?.add('>', frame);
    if (this.#traffic.messagesSent < this.#settings.count) return;
    if (this.#sender.queued > 0) this.#sender.discardQueue();
    this.#end(exitStatus.good);
  }

  #received(message: Message): Promise<void> | undefined {
    const { frame } = message;
    const { shown, wasPrompt } = this.#unfinished.complete(message.size);
    const roundTrip = this.#traffic.messageReceived(message.size, !wasPrompt);
    this.#log.add('received', frame);
    this.#recording?.add('<', frame);
    if (shown === 0 || message.size > shown) this.#display.received({ message, frame, roundTrip, shown });
    this.#closing?.received();
    const { screen } = this.#terminal;
    return screen.isBehind ? screen.caughtUp() : undefined;
  }

  #lost(loss: Loss): void {
    const { error, wasRequested, isFinal } = loss;
    const wasConnected = this.#traffic.isConnected;
    const unanswered = this.#traffic.disconnected();
    this.#unfinished.lost();
    this.#sender.stopRepeat();
    if (isFinal) {
      this.#leaveInput();
      this.#error ??= error;
    }
    const status = error ? exitStatus.good : this.#closing?.ended(unanswered);
    if (this.#status === exitStatus.good && status !== undefined) this.#status = status;
    // A final error is reported when the terminal is restored.
    if (isFinal && (wasRequested || error)) return;
    const notice = lossNotice(loss, wasConnected, unanswered);
    if (notice !== this.#lossNotice) this.#display.notice(notice);
    this.#lossNotice = notice;
  }

  /** The error is reported when the terminal is restored. */
  #recordingFailed(error: YodelError): void {
    this.#leaveInput();
    this.#error = error;
    this.#closeWhenSent();
  }

  /** Ctrl-C cancels one thing at a time: a repeat, queued lines, the typed line, the conversation. */
  #interrupt(typed: string): void {
    if (this.#sender.stopRepeat()) return;
    if (this.#sender.queued > 0) this.#sender.discardQueue();
    else if (typed !== '') this.#display.typed(`${typed}^C`);
    else if (this.#isEnding) this.#exitAtOnce();
    else this.#end(130);
  }

  #exitAtOnce(): never {
    this.#unfinished.settle();
    this.#terminal.close();
    process.exit(130);
  }

  /** Ends the input. Queued lines are still sent, and pending replies received. */
  #end(status: number): void {
    if (this.#isEnding) return;
    this.#sender.stopRepeat();
    this.#unfinished.settle();
    this.#status = status;
    // A line entered just before is sent at the end of this turn.
    if (this.#sender.queued > 0) setImmediate(() => this.#showEnd());
    else this.#showEnd();
    this.#isEnding = true;
    this.#terminal.screen.changed();
    this.#closeWhenSent();
  }

  #showEnd(): void {
    const { queued } = this.#sender;
    if (queued === 0) return this.#display.print('>');
    const when = this.#link.client ? '' : ' until connected';
    this.#display.notice(`waiting${when} to send ${formatPlural(queued, 'line')}; Ctrl-C discards them`);
  }

  #closeWhenSent(): void {
    if (!this.#isEnding || this.#sender.queued > 0 || this.#closing) return;
    this.#link.end();
    this.#closing = new Closing({
      waitMs: this.#settings.waitMs,
      due: () => this.#traffic.unanswered,
      notice: (text) => this.#display.notice(text),
      abort: () => this.#link.abort(),
    });
  }

  /** Ends the input and keeps the typed line on the screen. */
  #leaveInput(): void {
    if (this.#isEnding) return;
    this.#unfinished.settle();
    this.#isEnding = true;
    if (this.#input.text !== '') this.#display.typed(this.#input.text);
  }
}

function lossNotice({ error, wasRequested, isFinal }: Loss, wasConnected: boolean, unanswered: number): string {
  const ended = wasConnected ? 'the server ended the connection' : 'not connected';
  const what = wasRequested ? 'the connection was closed' : (error?.message ?? ended);
  const lost = unanswered > 0 && !isFinal ? `; ${formatPlural(unanswered, 'message')} got no reply` : '';
  return `${what}${lost}${isFinal ? '' : '; trying again'}`;
}
