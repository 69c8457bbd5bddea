/** What must be in the journal after a soak. */
import { readJournal } from '../../src/journal/reader.ts';

/** One connection that was recorded. */
export interface Answered {
  readonly name: string;
  /** The number of messages to which it has received the reply. */
  readonly answered: number;
}

/** What is wrong with the journal, as text: of each client it has the first messages, each once and in order, and all answered ones. */
export async function problemsOfJournal(file: string, clients: readonly Answered[]): Promise<string[]> {
  const problems: string[] = [];
  const recorded = new Map<string, number>();
  const reader = readJournal(file);
  for await (const { bytes, ending } of reader.read()) {
    const [name = '', number = ''] = Buffer.from(bytes).toString().split('.');
    const expected = recorded.get(name) ?? 0;
    // A client that vanished in the middle of a line: the end of its input ended the message.
    if (ending?.length === 0 && `${expected}`.startsWith(number)) continue;
    if (Number(number) !== expected) problems.push(`message ${number} of ${name} is recorded, not ${expected}`);
    recorded.set(name, expected + 1);
  }
  await reader.close();
  for (const { name, answered } of clients) {
    const count = recorded.get(name) ?? 0;
    if (count < answered) problems.push(`${answered} messages of ${name} were answered, and ${count} are recorded`);
  }
  return problems;
}
