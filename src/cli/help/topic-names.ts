/** What `yodel help TOPIC` knows. What is said of each is in `topics.ts`, loaded only when it is asked for. */

/** Each topic with what it is about, in the order of the list. */
export const topicSummaries = {
  addresses: 'how addresses are written',
  framing: 'where a message ends',
  handlers: 'what a server does with a message',
  limits: 'what a peer may cost, and how to change it',
  settings: 'flags, environment and file: which goes over which',
  environment: 'the variables that yodel reads',
  units: 'how sizes, times and rates are written',
  files: 'the files that yodel keeps',
  'exit-status': 'what the exit status says',
  errors: 'the codes of errors',
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
