#!/usr/bin/env node
/**
 * The entry point of the command. It is CommonJS and imports nothing, so that it can report a runtime that is too old for the
 * rest. It also prints the version and the help, from files, without loading the rest.
 */
const { bun, node } = process.versions;
const [major = 0, minor = 0] = (bun ?? node).split('.').map(Number);
const [oldestMajor, oldestMinor] = bun ? [1, 4] : [22, 18];
const words = process.argv.slice(2);

if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) start();
else refuse();

function start(): void {
  // The default action would end a server that receives SIGHUP before it is ready to reload.
  if (words[0] === 'serve') process.on('SIGHUP', () => undefined);
  const text = textToPrint();
  if (text === undefined || !printed(text)) void import('./main.js');
}

/** The version or the help text, if that is all the command line prints; otherwise undefined. */
function textToPrint(): string | undefined {
  // The rest of the command warns about unknown variables.
  if (Object.keys(process.env).some((name) => name.startsWith('YODEL_'))) return undefined;
  const last = words.at(-1);
  if (words.length === 1 && (last === '-V' || last === '--version')) {
    return `${(require('../../package.json') as { version: string }).version}\n`;
  }
  if (last === '-h' || last === '--help') return helpOf(words.slice(0, -1));
  return words[0] === 'help' ? helpOf(words.slice(1)) : undefined;
}

/** The help of a command; undefined if there is no such command, or the terminal is narrower than the text. */
function helpOf(command: readonly string[]): string | undefined {
  if (isDevice(1) && (process.stdout.columns || 100) < 100) return undefined;
  const texts = new Map(Object.entries(require('./help.json') as Record<string, string>));
  return texts.get(command.join(' '));
}

/** Whether a descriptor can be a terminal. Loading `process.stdout` to find out would take longer than everything else here. */
function isDevice(descriptor: number): boolean {
  return (require('node:fs') as typeof import('node:fs')).fstatSync(descriptor).isCharacterDevice();
}

/** Prints the text. Returns false if nothing was printed: the rest of the command then tries again, and reports errors. */
function printed(text: string): boolean {
  const bytes = Buffer.from(text);
  try {
    const count = (require('node:fs') as typeof import('node:fs')).writeSync(1, bytes);
    if (count < bytes.length) process.stdout.write(bytes.subarray(count));
    return true;
  } catch {
    // The reader is gone, or the disk or a non-blocking pipe is full.
    return false;
  }
}

function refuse(): void {
  const [name, advice] = bun
    ? ['Bun', 'upgrade with: bun upgrade']
    : ['Node.js', 'install it with: npm install -g node@22 (or from https://nodejs.org)'];
  const needed = `${oldestMajor}.${oldestMinor}`;
  process.stderr.write(`yodel: needs ${name} ${needed} or newer, this is ${bun ?? node}; ${advice}\n`);
  process.exitCode = 2;
}

export {};
