import { expect, test } from 'vitest';
import { beatMs, Heartbeats, hangsAfterMs } from '../../src/server/heartbeats.ts';

const missedUntilHang = hangsAfterMs / beatMs;

test('a process hangs when enough heartbeats in a row are missing, and no longer when one arrives', () => {
  const heartbeats = new Heartbeats();
  heartbeats.beat();
  for (let missed = 1; missed <= missedUntilHang + 2; missed++) {
    heartbeats.tick();
    expect([missed, heartbeats.silentMs, heartbeats.hangs]).toEqual([
      missed,
      missed * beatMs,
      missed >= missedUntilHang,
    ]);
  }
  heartbeats.beat();
  expect([heartbeats.silentMs, heartbeats.hangs]).toEqual([0, false]);
});

test('a process is not judged before its first heartbeat, nor is its replacement', () => {
  const heartbeats = new Heartbeats();
  for (let missed = 0; missed <= missedUntilHang; missed++) heartbeats.tick();
  expect(heartbeats.hangs).toBe(false);
  heartbeats.beat();
  for (let missed = 0; missed <= missedUntilHang; missed++) heartbeats.tick();
  expect(heartbeats.hangs).toBe(true);
  heartbeats.reset();
  heartbeats.tick();
  expect(heartbeats.hangs).toBe(false);
});
