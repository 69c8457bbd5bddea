import { expect, test, vi } from 'vitest';
import { LineWriter } from '../../src/log/line-writer.ts';
import type { OpenSink } from '../../src/terminal/sink.ts';
import { eventually } from '../support/eventually.ts';
import { fc } from '../support/fast-check.ts';

/** A file on a disk with a limited space, in bytes. */
class Disk {
  text = '';
  space: number;
  code = 'ENOSPC';

  constructor(space: number) {
    this.space = space;
  }

  readonly open: OpenSink = ({ written, failed }) => {
    let lastWritten: number | undefined;
    return {
      write: (bytes) => {
        const count = Math.min(bytes.length, this.space);
        this.space -= count;
        this.text += Buffer.from(bytes.subarray(0, count)).toString();
        if (count > 0) {
          lastWritten = bytes[count - 1];
          written(count);
        }
        const error = Object.assign(new Error('no space left'), { code: this.code });
        if (count < bytes.length) failed(error, { bytes: [bytes.subarray(count)], lastWritten });
      },
    };
  };
}

function writerOn(disk: Disk) {
  const failed = vi.fn();
  const resumed = vi.fn();
  const writer = new LineWriter(
    { open: disk.open, isReopenable: true },
    {
      droppedLine: ({ lines, error }) => `${lines} lost${error ? `: ${error.message}` : ''}`,
      failed,
      resumed,
      retryMs: 1,
    },
  );
  return { writer, failed, resumed };
}

test('after a full disk the log resumes: the cut line is completed, and a line counts what was lost', async () => {
  const disk = new Disk(11);
  const { writer, failed, resumed } = writerOn(disk);
  for (const line of ['one', 'two', 'three', 'four']) writer.write(line);
  writer.flush();
  expect(disk.text).toBe('one\ntwo\nthr');
  expect(writer.isOpen).toBe(false);
  writer.write('five');
  writer.drop(10);
  disk.space = 1000;
  await eventually(() => expect(resumed).toHaveBeenCalledExactlyOnceWith(12));
  writer.write('six');
  await writer.close(1000);
  expect(disk.text).toBe('one\ntwo\nthree\n12 lost: no space left\nsix\n');
  expect(failed).toHaveBeenCalledOnce();
});

test('as long as the disk is full it is reported once, and lines are counted', async () => {
  const disk = new Disk(4);
  const open = vi.spyOn(disk, 'open');
  const { writer, failed, resumed } = writerOn(disk);
  writer.write('one');
  writer.write('two');
  writer.flush();
  await eventually(() => expect(open.mock.calls.length).toBeGreaterThan(5));
  expect(failed).toHaveBeenCalledOnce();
  disk.space = 1000;
  await eventually(() => expect(resumed).toHaveBeenCalledExactlyOnceWith(1));
  expect(disk.text).toBe('one\n1 lost: no space left\n');
});

test('a report that is lost counts with the lines that it stands for', async () => {
  const disk = new Disk(4);
  const { writer } = writerOn(disk);
  writer.write('one');
  writer.writeReport('a thousand more', 1000);
  writer.write('two');
  writer.flush();
  disk.space = 1000;
  await writer.close(1000);
  expect(disk.text).toBe('one\n1001 lost: no space left\n');
});

test('however often the disk fills up, no line is broken, and what is written and what is lost add up', async () => {
  const step = fc.oneof(
    fc.record({ length: fc.nat(30) }),
    fc.record({ reports: fc.integer({ min: 2, max: 50 }) }),
    fc.record({ space: fc.nat(100) }),
    fc.constant({ waits: true }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const disk = new Disk(0);
      const { writer } = writerOn(disk);
      let lines = 0;
      for (const one of steps) {
        if ('length' in one) {
          lines++;
          writer.write(`line ${'x'.repeat(one.length)}.`);
        } else if ('reports' in one) {
          lines += one.reports;
          writer.writeReport(`${one.reports} lost`, one.reports);
        } else if ('space' in one) disk.space = one.space;
        else await new Promise((resolve) => setTimeout(resolve, 2));
        writer.flush();
      }
      disk.space = 10_000;
      await writer.close(1000);
      const written = disk.text.split('\n').slice(0, -1);
      for (const line of written) expect(line).toMatch(/^line x*\.$|^\d+ lost(: no space left)?$/);
      const counted = written.map((line) => Number(/^(\d+) lost/.exec(line)?.[1] ?? 1));
      expect(counted.reduce((sum, count) => sum + count, 0)).toBe(lines);
    }),
    { numRuns: 50 },
  );
});

test('a failed stream that cannot be opened again loses the rest', async () => {
  const disk = new Disk(4);
  const failed = vi.fn();
  const options = { droppedLine: () => 'lost', failed, retryMs: 1 };
  const writer = new LineWriter({ open: disk.open, isReopenable: false }, options);
  for (const line of ['one', 'two']) writer.write(line);
  writer.flush();
  disk.space = 1000;
  writer.write('three');
  await writer.close(100);
  expect(disk.text).toBe('one\n');
  expect(failed).toHaveBeenCalledOnce();
});

test('lines beyond what a slow reader takes are dropped, and reported when it has caught up, without a further line', async () => {
  let accept = (_bytes: number) => {};
  let text = '';
  const open: OpenSink = ({ written }) => {
    accept = written;
    return {
      write(bytes) {
        text += Buffer.from(bytes).toString();
      },
    };
  };
  const droppedLine = ({ lines }: { lines: number }) => `${lines} dropped`;
  const writer = new LineWriter({ open, isReopenable: true }, { droppedLine });
  const line = 'x'.repeat(1_048_575);
  for (let count = 0; count < 20; count++) writer.write(line);
  expect(writer.isOpen).toBe(false);
  expect(text.length).toBe(9 * 1_048_576);
  accept(5 * 1_048_576);
  writer.flush();
  expect(text.slice(9 * 1_048_576)).toBe('11 dropped\n');
  expect(writer.isOpen).toBe(true);
});
