import { expect, test, vi } from 'vitest';
import type { SinkEvents } from '../../src/terminal/sink.ts';
import { Writer, type WriterOptions } from '../../src/terminal/writer.ts';
import { eventually } from '../support/eventually.ts';

/** A writer whose sink accepts bytes only when the test allows it. */
function writerOf(options?: WriterOptions) {
  const written: string[] = [];
  let events: SinkEvents | undefined;
  const writer = new Writer((sinkEvents) => {
    events = sinkEvents;
    return { write: (bytes) => void written.push(Buffer.from(bytes).toString()) };
  }, options);
  return {
    writer,
    written,
    take: (bytes: number) => events?.written(bytes),
    fail: (code: string) => events?.failed(Object.assign(new Error(code), { code })),
  };
}

test('text and bytes are written in order, and are pending until they are accepted', () => {
  const { writer, written, take } = writerOf();
  writer.write('one');
  writer.write(Buffer.from('two'));
  expect(written).toEqual(['one', 'two']);
  expect(writer.pending).toBe(6);
  take(4);
  expect(writer.pending).toBe(2);
});

test('short texts are gathered into one write', async () => {
  const { writer, written } = writerOf({ gatherMs: 1 });
  writer.write('one ');
  writer.write('two ');
  expect(written).toEqual([]);
  expect(writer.pending).toBe(8);
  await eventually(() => expect(written).toEqual(['one two ']));
  writer.write('three');
  writer.write(Buffer.from('!'));
  expect(written.slice(1)).toEqual(['three', '!']);
});

test('gathered text is written at once when it is large', () => {
  const { writer, written } = writerOf({ gatherMs: 60_000 });
  writer.write('x'.repeat(65_536));
  expect(written).toHaveLength(1);
});

test('below() resolves when few enough bytes are pending', async () => {
  const { writer, take } = writerOf();
  const order: string[] = [];
  writer.write('x'.repeat(10));
  const waits = [
    writer.below(10).then(() => order.push('10')),
    writer.below(5).then(() => order.push('5')),
    writer.below(0).then(() => order.push('0')),
  ];
  await waits[0];
  take(4);
  await Promise.resolve();
  expect(order).toEqual(['10']);
  take(1);
  await waits[1];
  take(5);
  await Promise.all(waits);
  expect(order).toEqual(['10', '5', '0']);
});

test('end() writes gathered text and waits for it, but not longer than allowed', async () => {
  const { writer, written, take } = writerOf({ gatherMs: 60_000 });
  writer.write('last words');
  const end = writer.end();
  expect(written).toEqual(['last words']);
  take(10);
  await end;
  writer.write('never taken');
  await writer.end(1);
  expect(writer.pending).toBe(11);
});

test('a failure is reported once, wakes all waiters, and discards the rest', async () => {
  const failed = vi.fn();
  const { writer, written, take, fail } = writerOf({ failed });
  writer.write('lost');
  const waits = [writer.below(0), writer.end()];
  fail('EPIPE');
  fail('ENOSPC');
  await Promise.all(waits);
  take(4);
  writer.write('ignored');
  expect(writer.pending).toBe(0);
  expect(written).toEqual(['lost']);
  expect(failed).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'EPIPE' }), undefined);
  expect(writer.error?.message).toBe('EPIPE');
});

test('a sink may accept bytes during the write', async () => {
  const taken: number[] = [];
  const writer: Writer = new Writer(({ written }) => ({ write: (bytes) => written(bytes.length) }), {
    written: () => taken.push(writer.pending),
  });
  writer.write('one');
  await writer.end();
  expect(taken).toEqual([0]);
});
