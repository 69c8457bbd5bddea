import { expect, onTestFinished, test, vi } from 'vitest';
import { Warnings } from '../src/warnings.ts';

test('ten warnings a second are emitted, and the others counted', () => {
  vi.useFakeTimers();
  const emitted: string[] = [];
  const emit = vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void emitted.push(String(warning)));
  onTestFinished(() => {
    emit.mockRestore();
    vi.useRealTimers();
  });
  const warnings = new Warnings();
  for (let count = 0; count < 100; count++) warnings.emit(new Error(`bug ${count}`));
  expect(emitted).toHaveLength(10);
  vi.advanceTimersByTime(1000);
  expect(emitted.slice(10)).toEqual(['90 more warnings about handlers, subscribers or callbacks were omitted']);
  warnings.emit('again');
  expect(emitted.at(-1)).toBe('again');
  vi.advanceTimersByTime(5000);
  expect(emitted).toHaveLength(12);
});
