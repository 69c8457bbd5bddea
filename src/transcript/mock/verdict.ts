/** What a mock has found out about its clients. */
import { YodelError } from '../../errors.ts';
import type { Message } from '../../framing/message.ts';
import { formatMessage } from '../message-line.ts';
import type { Place, Transcript } from '../transcript.ts';
import { lineOf } from '../walk.ts';

/** Something that a client did not do as the transcript says, or that the mock could not do. */
export interface MockProblem {
  /** The transcript, or the file that it includes. */
  readonly file: string;
  /** From 1. Undefined: after the last line. */
  readonly line: number | undefined;
  /** The client's name; empty without a name. */
  readonly client: string;
  /** The expected line. Undefined: nothing more was expected. */
  readonly expected: string | undefined;
  /** What came instead. Undefined: nothing did. */
  readonly received: Message | undefined;
  /** All of that in one line, with the file and the line. */
  readonly message: string;
}

/** The result of the runs of a mock so far. */
export interface MockVerdict {
  /** Whether clients said everything that they should in at least one run, and nothing else in any run. */
  readonly isCompleted: boolean;
  /** The number of runs that were completed. */
  readonly completedRuns: number;
  /** What went wrong. A run that is not over has the line that it waits for. */
  readonly problems: readonly MockProblem[];
}

/** How a problem came about. */
export interface ProblemDetails {
  readonly client: string;
  /** The step; undefined after the last one. */
  readonly step: Place | undefined;
  readonly received?: Message | undefined;
  /** How the received message differs, if its line does not show it. */
  readonly detail?: string | undefined;
  /** What happened, if it is not that something else was received. */
  readonly reason?: string | undefined;
}

/** Describes a problem. */
export function problemOf(
  transcript: Transcript,
  { client, step, received, detail, reason }: ProblemDetails,
): MockProblem {
  const file = step?.file ?? transcript.file;
  const expected = step && lineOf(transcript, step);
  const place = step ? `${file}:${step.line}` : file;
  const due = expected === undefined ? 'expected no more messages' : `expected ${expected}`;
  const message =
    reason === undefined
      ? `${place}: ${due}, received ${shown(received)}${detail === undefined ? '' : ` (${detail})`}`
      : `${place}: ${reason}`;
  return { file, line: step?.line, client, expected, received, message };
}

/** A problem as an error. */
export function problemError({ message }: MockProblem): YodelError {
  return new YodelError('YODEL_UNEXPECTED_MESSAGE', message);
}

/** A message as a line of a transcript. */
export function shown(message: Message | undefined): string {
  if (!message) return 'nothing';
  const text = `>${formatMessage(message)}`;
  return text.length > 200 ? `${text.slice(0, 200)} …` : text;
}
