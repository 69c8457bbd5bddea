import { expect, test } from 'vitest';
import { checkLimits } from '../../../src/cli/bench/limits.ts';

const settings = { address: 'tcp://127.0.0.1:1', connections: 100_000, threads: 1, reconnectEach: false };

test('more connections than open files are refused, with both numbers and what to do', () => {
  expect(() => checkLimits(settings, 1024, 1_000_000)).toThrow(
    '100,000 connections need 100,048 open files (descriptors), and a process may have 1,024: ' +
      'raise the limit with ulimit -n 100048, or use fewer connections (-c)',
  );
});

test('processes have a limit each', () => {
  const two = { ...settings, connections: 1500, threads: 2 };
  expect(() => checkLimits(two, 1024, 1_000_000)).not.toThrow();
  expect(() => checkLimits({ ...two, threads: 1 }, 1024, 1_000_000)).toThrow(/with --threads 2, or use fewer/);
  expect(() => checkLimits({ ...two, connections: 3000 }, 1024, 1_000_000)).toThrow(/in each of 2 processes/);
});

test('children take more than a descriptor each, and so do connections that are replaced', () => {
  expect(() => checkLimits({ ...settings, connections: 300, address: 'exec:cat' }, 900, 1000)).toThrow(
    /948 open files/,
  );
  expect(() => checkLimits({ ...settings, connections: 300, reconnectEach: true }, 600, 1000)).toThrow(
    /648 open files/,
  );
  expect(() => checkLimits({ ...settings, connections: 300 }, 600, 1000)).not.toThrow();
});

test('more connections than ports are refused, except where there are no ports', () => {
  expect(() => checkLimits(settings, Number.POSITIVE_INFINITY, 28_232)).toThrow(
    /100,000 connections to one address need as many ports, and this machine has 28,232/,
  );
  expect(() => checkLimits({ ...settings, address: 'unix:///tmp/x' }, Number.POSITIVE_INFINITY, 28_232)).not.toThrow();
  expect(() => checkLimits({ ...settings, connections: 10 })).not.toThrow();
});
