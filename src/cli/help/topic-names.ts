/** The topics of `yodel help`. Their texts are in `topics.ts`, which is loaded only when one is shown. */

/** Each topic with its summary, in the order of the list. */
export const topicSummaries = {
  addresses: 'the forms of addresses',
  framing: 'how messages are delimited',
  protocols: 'protocols that yodel knows by name',
  handlers: 'what a server does with a message',
  faults: 'what can go wrong on purpose, and when',
  limits: 'how much a peer can use, and how to change it',
  settings: 'flags, environment and file, and their precedence',
  environment: 'environment variables',
  units: 'sizes, times, rates and counts',
  files: 'files that yodel reads and writes',
  'exit-status': 'what the exit status means',
  errors: 'error codes',
} as const;

/** The name of a topic. */
export type TopicName = keyof typeof topicSummaries;

/** All names. */
export const topicNames = Object.keys(topicSummaries) as readonly TopicName[];

/** The list of topics below the help of `yodel`. */
export function topicList(): string {
  const width = Math.max(...topicNames.map((name) => name.length)) + 2;
  const lines = topicNames.map((name) => `  ${name.padEnd(width)}${topicSummaries[name]}`);
  return `\nTopics of yodel help:\n${lines.join('\n')}`;
}
