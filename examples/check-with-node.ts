// Tests framings with the test runner of Node.js: node examples/check-with-node.ts
import assert from 'node:assert';
import { test } from 'node:test';
import { Message } from 'yodel';
import { checkFraming, decodeAll } from 'yodel/testing';
import changingRule from './changing-rule.ts';
import checksum from './checksum.ts';

test('sentences keep what every framing promises', () => {
  checkFraming(checksum);
});

test('a wrong checksum is an error that names the byte', () => {
  const { messages, faults } = decodeAll(checksum, Buffer.from('$hi*01\r\n$hi*02\r\n'));
  assert.deepEqual(
    messages.map(({ text }) => text),
    ['hi'],
  );
  assert.match(String(faults[0]), /message 2 .* at byte 4: expected the checksum \*01, not \*02/);
});

test('lines change to packets', () => {
  const packet = Message.of('two\nlines', { header: Uint8Array.of(7) });
  checkFraming(changingRule, { conversation: ['hello', 'binary', packet, packet] });
});
