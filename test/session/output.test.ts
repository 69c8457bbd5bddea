import { describe, expect, it } from 'vitest';
import { length } from '../../src/framing/counted/length.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import { encode } from '../../src/framing/framing.ts';
import type { Message } from '../../src/framing/message.ts';
import { Output } from '../../src/session/output.ts';
import { fc } from '../support/fast-check.ts';

const { encoder } = lines();

function decode(text: string): { chunk: Buffer; messages: Message[] } {
  const chunk = Buffer.from(text);
  const decoder = lines().createDecoder({ maxMessageLength: 1_000_000, onTooLong: 'close', encoding: 'utf8' });
  return { chunk, messages: [...decoder.decode(chunk)] };
}

function takenFrom(output: Output): Buffer[] {
  const pieces: Buffer[] = [];
  output.writeTo({ write: (bytes) => void pieces.push(bytes as Buffer) });
  return pieces;
}

describe('the output', () => {
  it('writes everything that was appended, in order', () => {
    const text = fc.stringMatching(/^[a-zé🎉]{0,20}$/u);
    const parts = fc.array(
      fc.oneof(
        text.map((value) => ({ kind: 'text' as const, value })),
        text.map((value) => ({ kind: 'reply' as const, value })),
        text.map((value) => ({ kind: 'reply' as const, value: `${value}\r` })),
        text.map((value) => ({ kind: 'bytes' as const, value })),
        text.map((value) => ({ kind: 'frame' as const, value })),
        fc.nat(200_000).map((size) => ({ kind: 'text' as const, value: 'é'.repeat(size) })),
        fc.nat(40_000).map((size) => ({ kind: 'reply' as const, value: '🎉'.repeat(size) })),
        fc.constant({ kind: 'take' as const, value: '' }),
      ),
    );
    fc.assert(
      fc.property(parts, (all) => {
        const output = new Output();
        const taken: Buffer[] = [];
        let due = '';
        for (const { kind, value } of all) {
          if (kind === 'take') {
            taken.push(...takenFrom(output));
            continue;
          }
          // After a CR, LF would be read as CRLF.
          due += value.endsWith('\r') ? `${value}\r\n` : `${value}\n`;
          if (kind === 'reply') output.appendText(encoder, value, undefined);
          else if (kind === 'frame') for (const message of decode(`${value}\n`).messages) message.place(output);
          else output.appendMessage(encoder, kind === 'text' ? value : Buffer.from(value), undefined);
        }
        const before = taken.reduce((sum, piece) => sum + piece.length, 0);
        expect(before + output.size).toBeLessThanOrEqual(Buffer.byteLength(due));
        taken.push(...takenFrom(output));
        expect(Buffer.concat(taken).toString() === due).toBe(true);
        expect(output.size).toBe(0);
        expect(takenFrom(output)).toEqual([]);
      }),
    );
  });

  it('does not copy adjacent frames', () => {
    const { chunk, messages } = decode('one\ntwo\nthree\n');
    const output = new Output();
    for (const message of messages) message.place(output);
    const [piece, ...more] = takenFrom(output);
    expect(more).toEqual([]);
    expect(piece?.buffer).toBe(chunk.buffer);
    expect(piece?.byteOffset).toBe(chunk.byteOffset);
    expect(piece?.length).toBe(chunk.length);
  });

  it('writes messages as one piece', () => {
    const output = new Output();
    for (const text of ['one', 'two', 'three']) output.appendMessage(encoder, text, undefined);
    expect(takenFrom(output).map(String)).toEqual(['one\ntwo\nthree\n']);
  });

  it('joins small pieces, and leaves large ones as they are', () => {
    const small = new Output();
    (decode('frame\n').messages[0] as Message).place(small);
    small.appendMessage(encoder, 'text', undefined);
    expect(takenFrom(small).map(String)).toEqual(['frame\ntext\n']);
    const large = new Output();
    (decode('frame\n').messages[0] as Message).place(large);
    large.appendMessage(encoder, 'x'.repeat(100_000), undefined);
    expect(takenFrom(large).map(({ length }) => length)).toEqual([6, 100_001]);
  });

  it('is unchanged when a message cannot be encoded', () => {
    const output = new Output();
    output.appendMessage(encoder, 'before', undefined);
    expect(() => output.appendMessage(encoder, 'two\nlines', undefined)).toThrow('line feed at offset 3');
    expect(() => output.appendMessage(length({ bytes: 1 }).encoder, 'x'.repeat(256), undefined)).toThrow(
      'does not fit',
    );
    output.appendMessage(encoder, 'behind', undefined);
    expect(takenFrom(output).map(String)).toEqual(['before\nbehind\n']);
  });

  it('finds the text that is not one line among many, and keeps those before it', () => {
    const output = new Output();
    for (const text of ['one', 'two', 'three\nfour', 'five']) output.appendText(encoder, text, undefined);
    expect(() => takenFrom(output)).toThrow('line feed at offset 5');
    expect(takenFrom(output).map(String)).toEqual(['one\ntwo\n']);
  });

  it('finds it, too, when three outputs are appended to in turn', () => {
    const texts = ['one', 'three\nfour', 'twelve', ''];
    const outputs = [new Output(), new Output(), new Output()];
    for (const place of texts.keys()) {
      for (const [shift, output] of outputs.entries()) {
        output.appendText(encoder, texts[(place + shift) % texts.length] as string, undefined);
      }
    }
    for (const output of outputs) expect(() => takenFrom(output)).toThrow('line feed at offset 5');
    expect(outputs.map((output) => takenFrom(output).map(String))).toEqual([['one\n'], [], ['twelve\n\none\n']]);
    for (const output of outputs.reverse())
      for (const text of texts.slice(2)) output.appendText(encoder, text, undefined);
    expect(outputs.map((output) => takenFrom(output).map(String))).toEqual(outputs.map(() => ['twelve\n\n']));
  });

  it('ends each text as requested', () => {
    const [withCr] = decode('x\r\n').messages;
    const output = new Output();
    output.appendText(encoder, 'unix', undefined);
    output.appendText(encoder, 'dos', encoder.shapeOf(withCr as Message));
    output.appendText(encoder, 'dos\r', encoder.shapeOf(withCr as Message));
    output.appendText(encoder, 'unix\r', undefined);
    output.appendText(encoder, 'unix', undefined);
    expect(takenFrom(output).map(String)).toEqual(['unix\ndos\r\ndos\r\r\nunix\r\r\nunix\n']);
  });

  it('reuses its memory once nothing refers to what it wrote', () => {
    const [first, second] = [new Output(), new Output()];
    const pieceOf = (output: Output, text: string) => {
      output.appendText(encoder, text, undefined);
      return takenFrom(output)[0] as Buffer;
    };
    const one = pieceOf(first, 'one');
    first.reuse();
    const two = pieceOf(first, 'two');
    expect(two.byteOffset).toBe(one.byteOffset);
    // Another output has written after it in the meantime, so its memory is not free.
    const three = pieceOf(second, 'three');
    first.reuse();
    const four = pieceOf(first, 'four');
    expect([two, three, four].map(String)).toEqual(['two\n', 'three\n', 'four\n']);
  });

  it('never modifies what it has written', () => {
    const output = new Output();
    const given: { piece: Buffer; was: string }[] = [];
    for (let round = 0; round < 50; round++) {
      output.appendMessage(encoder, `${round} `.repeat(1000), undefined);
      for (const piece of takenFrom(output)) given.push({ piece, was: piece.toString() });
    }
    for (const { piece, was } of given) expect(piece.toString() === was).toBe(true);
  });

  it('can be cleared', () => {
    const output = new Output();
    output.appendMessage(encoder, 'forgotten', undefined);
    output.clear();
    expect(output.size).toBe(0);
    output.appendMessage(encoder, 'kept', undefined);
    expect(takenFrom(output).map(String)).toEqual([String(Buffer.from(encode(lines(), 'kept')))]);
  });

  it('keeps its texts separate from those of other outputs, whichever appended last', () => {
    const turn = fc.record({
      at: fc.nat(2),
      text: fc.stringMatching(/^[a-z]{0,5}$/),
      isBad: fc.nat(19),
      take: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(turn), (turns) => {
        const all = [0, 1, 2].map(() => ({ output: new Output(), due: '', isBad: false }));
        const take = (one: (typeof all)[number]) => {
          if (one.isBad) expect(() => takenFrom(one.output)).toThrow('contains a line feed');
          else expect(Buffer.concat(takenFrom(one.output)).toString()).toBe(one.due);
          one.output.clear();
          one.due = '';
          one.isBad = false;
        };
        for (const { at, text, isBad, take: chance } of turns) {
          const one = all[at] as (typeof all)[number];
          one.output.appendText(encoder, isBad === 0 ? `${text}\n${text}` : text, undefined);
          one.due += `${text}\n`;
          one.isBad ||= isBad === 0;
          if (chance === 0) take(one);
        }
        for (const one of all) take(one);
      }),
    );
  });
});
