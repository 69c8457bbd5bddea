import { expect, test } from 'vitest';
import { commandNames, helpLines, parseEntered } from '../../../../src/cli/connect/interactive/commands.ts';
import { complete } from '../../../../src/cli/connect/interactive/completion.ts';
import { temporaryFile } from '../../../support/files.ts';

test('a colon begins a command, two begin a message with one', () => {
  expect(parseEntered('hello :quit')).toEqual({ kind: 'message', text: 'hello :quit' });
  expect(parseEntered('::quit')).toEqual({ kind: 'message', text: ':quit' });
  expect(parseEntered(':::')).toEqual({ kind: 'message', text: '::' });
  expect(parseEntered(' :quit')).toEqual({ kind: 'message', text: ' :quit' });
  expect(parseEntered(':send  a b ')).toEqual({ kind: 'command', name: 'send', rest: ' a b ' });
});

test('a command may be abbreviated while that is unambiguous', () => {
  expect(parseEntered(':q')).toEqual({ kind: 'command', name: 'quit', rest: '' });
  expect(parseEntered(':re')).toMatchObject({
    kind: 'mistake',
    text: expect.stringContaining(':repeat or :reconnect'),
  });
});

test('a mistyped command is never sent as a message, and the right one is suggested', () => {
  expect(parseEntered(':quti')).toMatchObject({ kind: 'mistake', text: expect.stringContaining('"quit"?') });
  expect(parseEntered(':')).toMatchObject({ kind: 'mistake', text: expect.stringContaining(':help') });
});

test(':help explains every command, in lines that fit 80 columns', () => {
  const lines = helpLines('');
  for (const name of commandNames) expect(lines.some((line) => line.startsWith(`:${name}`))).toBe(true);
  expect(helpLines('repeat').join('\n')).toContain(':repeat 10 1s ping');
  expect(helpLines(':hex')[0]).toBe(':hex [on|off]');
  expect(helpLines('nonsense')[0]).toContain('unknown command');
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
});

test('Tab completes commands, their arguments, and files', () => {
  expect(complete(':qu')).toEqual({ insert: 'it ', choices: ['quit'] });
  expect(complete(':h')).toEqual({ insert: 'e', choices: ['help', 'header', 'hex'] });
  expect(complete(':')?.choices).toEqual(commandNames);
  expect(complete(':help rec')).toEqual({ insert: 'onnect', choices: ['reconnect'] });
  expect(complete(':hex o')).toEqual({ insert: '', choices: ['on', 'off'] });
  expect(complete(':nonsense x')).toEqual({ insert: '', choices: [] });
  const file = temporaryFile('conversation.txt', '');
  expect(complete(`:save ${file.slice(0, -8)}`)?.insert).toBe('tion.txt');
  expect(complete(':save /nowhere/at/all')).toEqual({ insert: '', choices: [] });
});

test('in a message, Tab completes nothing', () => {
  expect(complete('hello')).toBeUndefined();
  expect(complete('::hel')).toBeUndefined();
});
