/** The number of messages of a history that a program asks for: it may come from a client. */
import { checkOption } from '../../option-values.ts';

const spec = { kind: 'count', off: '' } as const;

/** @throws YodelError `YODEL_INVALID_OPTION` unless it is a whole number from 0 */
export function checkHistoryCount(history: unknown): void {
  checkOption('history', spec, history);
}
