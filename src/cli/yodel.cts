#!/usr/bin/env node
// The command's first step, which must run even on a runtime that is too old: so it is CommonJS, imports nothing, and
// only looks at the version before it loads the rest.
const [major = 0, minor = 0] = (process.versions.bun ?? process.versions.node).split('.').map(Number);
const [neededMajor, neededMinor] = process.versions.bun ? [1, 4] : [22, 18];

// A server that is told to reload while it starts has the settings as they are anyway; without this it would end.
if (process.argv[2] === 'serve') process.on('SIGHUP', () => undefined);

if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) {
  void import('./main.js');
} else {
  const runtime = process.versions.bun ? 'Bun' : 'Node.js';
  const found = process.versions.bun ?? process.versions.node;
  const advice = process.versions.bun
    ? 'upgrade with: bun upgrade'
    : 'install it with: npm install -g node@22 (or from https://nodejs.org)';
  process.stderr.write(`yodel: needs ${runtime} ${neededMajor}.${neededMinor} or newer, this is ${found}; ${advice}\n`);
  process.exitCode = 2;
}

export {};
