/** The verdict of `yodel serve FILE.transcript --once` and `--verify`. */
import { formatPlural } from '../../format/figures.ts';
import { jsonLine } from '../../log/json.ts';
import type { Server } from '../../server/server.ts';
import type { Subscriber } from '../../telemetry/telemetry.ts';
import { escapeText, jsonContent } from '../../terminal/escape.ts';
import type { MockProblem, MockVerdict } from '../../transcript/mock/verdict.ts';
import { exitStatus } from '../fail.ts';
import type { JudgedMock } from './handler/load.ts';
import type { Outputs } from './outputs.ts';

/** Ends the server when its transcript was played, and says how that went. */
export class Judge {
  readonly #judged: JudgedMock;
  readonly #outputs: Outputs;
  #timer: NodeJS.Timeout | undefined;
  #server: Server | undefined;

  constructor(judged: JudgedMock, outputs: Outputs) {
    this.#judged = judged;
    this.#outputs = outputs;
  }

  /** Notices when clients do something. */
  get subscriber(): Subscriber {
    const active = () => this.#watch();
    return { opened: active, received: active, closed: active };
  }

  /** Begins to watch. */
  start(server: Server): void {
    this.#server = server;
    this.#watch();
    const { mock, settings } = this.#judged;
    if (settings.once) void mock.done.then(() => server.close());
  }

  #watch(): void {
    clearTimeout(this.#timer);
    const { timeoutMs } = this.#judged.settings;
    if (timeoutMs === 0 || !this.#server) return;
    this.#timer = setTimeout(() => {
      this.#outputs.notify(`clients did nothing for ${timeoutMs} ms`);
      void this.#server?.close();
    }, timeoutMs);
  }

  /** Prints the verdict, and returns the exit status. */
  end(): number {
    clearTimeout(this.#timer);
    const { mock, file, reported } = this.#judged;
    const { notify, writeLog, isJson } = this.#outputs;
    const verdict = mock.verdict();
    for (const { message } of verdict.problems) if (!reported.has(message)) notify(escapeText(message));
    notify(`${file}: ${summaryOf(verdict)}`);
    if (isJson) writeLog(lineOf(file, verdict));
    return verdict.isCompleted ? exitStatus.good : exitStatus.unmet;
  }
}

function summaryOf({ isCompleted, completedRuns, problems }: MockVerdict): string {
  if (isCompleted) return completedRuns === 1 ? 'completed' : `completed ${completedRuns} times`;
  const also = completedRuns > 0 ? `; ${formatPlural(completedRuns, 'run was', 'runs were')} completed` : '';
  return `not completed: ${formatPlural(problems.length, 'problem')}${also}`;
}

function lineOf(file: string, { isCompleted, completedRuns, problems }: MockVerdict): string {
  const fields = { file, completed: isCompleted, runs: completedRuns, problems: problems.map(fieldsOf) };
  return jsonLine(isCompleted ? 'info' : 'error', 'verdict', {}, fields);
}

function fieldsOf({ file, line, client, expected, received, message }: MockProblem): object {
  const content = received && jsonContent(received.bytes);
  return { file, line, ...(client !== '' && { client }), expected, received: content, problem: message };
}
