import { expect, test } from 'vitest';
import { complete, helpLines, readEntered, talkCommands } from '../../../src/cli/connect/conversation-commands.ts';
import { temporaryFile } from '../../support/files.ts';

test('a colon begins a command, two begin a message with one', () => {
  expect(readEntered('hello :quit')).toEqual({ kind: 'message', text: 'hello :quit' });
  expect(readEntered('::quit')).toEqual({ kind: 'message', text: ':quit' });
  expect(readEntered(':::')).toEqual({ kind: 'message', text: '::' });
  expect(readEntered(' :quit')).toEqual({ kind: 'message', text: ' :quit' });
  expect(readEntered(':send  a b ')).toEqual({ kind: 'command', name: 'send', rest: ' a b ' });
});

test('a command may be shortened while it is the only one', () => {
  expect(readEntered(':q')).toEqual({ kind: 'command', name: 'quit', rest: '' });
  expect(readEntered(':re')).toMatchObject({ kind: 'mistake', text: expect.stringContaining(':repeat or :reconnect') });
});

test('a mistyped command is a mistake that names the right one, and never a message', () => {
  expect(readEntered(':quti')).toMatchObject({ kind: 'mistake', text: expect.stringContaining('"quit"?') });
  expect(readEntered(':')).toMatchObject({ kind: 'mistake', text: expect.stringContaining(':help') });
});

test(':help explains every command, in lines that fit 80 columns', () => {
  const lines = helpLines('');
  for (const name of Object.keys(talkCommands)) expect(lines.some((line) => line.startsWith(`:${name}`))).toBe(true);
  expect(helpLines('repeat').join('\n')).toContain(':repeat 10 1s ping');
  expect(helpLines(':hex')[0]).toBe(':hex [on|off]');
  expect(helpLines('nonsense')[0]).toContain('no command');
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
});

test('Tab completes commands, what they take, and files', () => {
  expect(complete(':qu')).toEqual({ insert: 'it ', choices: ['quit'] });
  expect(complete(':h')).toEqual({ insert: 'e', choices: ['help', 'hex'] });
  expect(complete(':')?.choices).toEqual(Object.keys(talkCommands));
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
