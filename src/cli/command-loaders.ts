/** Loads commands. A run loads only its own, because creating all of them takes longer than starting a server. */
import type { Command } from 'commander';

/** The commands in the order of the help. */
export const commandLoaders: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve/command.ts')).serveCommand(),
  connect: async () => (await import('./connect/command.ts')).connectCommand(),
  send: async () => (await import('./send/command.ts')).sendCommand(),
  bench: async () => (await import('./bench/command.ts')).benchCommand(),
  check: async () => (await import('./check/command.ts')).checkCommand(),
  journal: async () => (await import('./journal/command.ts')).journalCommand(),
  replay: async () => (await import('./replay/command.ts')).replayCommand(),
  publish: async () => (await import('./rooms/publish-command.ts')).publishCommand(),
  subscribe: async () => (await import('./rooms/subscribe-command.ts')).subscribeCommand(),
  bus: async () => (await import('./bus/command.ts')).busCommand(),
  config: async () => (await import('./config/command.ts')).configCommand(),
  context: async () => (await import('./context/command.ts')).contextCommand(),
  completion: async () => (await import('./completion/command.ts')).completionCommand(),
  help: async () => (await import('./help/command.ts')).helpCommand(),
};

/** Commands that describe all others. */
const needAll: ReadonlySet<string> = new Set(['completion', 'help']);

/** The command that a command line needs; undefined if it needs all of them, such as for the error about an unknown command. */
export function commandNeeded(words: readonly string[]): string | undefined {
  const [word = ''] = words.filter((one) => one !== '--no-color');
  return Object.hasOwn(commandLoaders, word) && !needAll.has(word) ? word : undefined;
}
