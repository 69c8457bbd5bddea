/** The text form of faults, which `parse.ts` reads. */
import { formatQuantity } from '../../format/units.ts';
import type { Fault, FaultAction, FaultCondition } from './fault.ts';

/** The shortest text for a fault, such as `reply 10% latency 50ms±20ms`. Its name is not part of it. */
export function formatFault({ direction = 'reply', when = {}, action }: Fault): string {
  return [direction, ...conditionWords(when), action.kind, ...argumentWords(action)].join(' ');
}

function conditionWords(when: FaultCondition): string[] {
  const { sessions, probability, every, pattern, afterTime, afterBytes } = when;
  return [
    ...given(sessions, (share) => `${percentage(share)} of sessions`),
    ...given(probability, percentage),
    ...numberWords(when),
    ...given(every, (count) => `every ${count}`),
    ...given(pattern, String),
    ...given(afterTime, (time) => `after ${duration(time)}`),
    ...given(afterBytes, (bytes) => `after ${size(bytes)}`),
  ];
}

function numberWords({ from, to }: FaultCondition): string[] {
  if (from !== undefined && to !== undefined) return [from === to ? `#${from}` : `#${from}-${to}`];
  return [...given(from, (first) => `from ${first}`), ...given(to, (last) => `to ${last}`)];
}

function argumentWords(action: FaultAction): string[] {
  switch (action.kind) {
    case 'latency':
      return [`${duration(action.time)}${action.jitter ? `±${duration(action.jitter)}` : ''}`];
    case 'bandwidth':
      return [`${size(action.rate)}/s`];
    case 'chunk':
      return [
        `${size(action.size)}${action.variation ? `±${size(action.variation)}` : ''}`,
        ...given(action.interval, duration),
      ];
    case 'corrupt':
      return [...given(action.bits, String), ...(action.frame ? ['frame'] : [])];
    case 'duplicate':
      return given(action.copies, String);
    case 'reorder':
      // The distance must be there if the time is.
      return [
        ...given(action.distance ?? (action.within === undefined ? undefined : 1), String),
        ...given(action.within, duration),
      ];
    case 'blackhole':
      return given(action.time, duration);
    case 'limit':
      return [
        ...given(action.bytes, size),
        ...given(action.messages, (count) => `${count} messages`),
        ...given(action.time, duration),
      ];
    case 'slow-close':
      return [duration(action.time)];
    default:
      return [];
  }
}

function given<Value>(value: Value | undefined, write: (value: Value) => string): string[] {
  return value === undefined ? [] : [write(value)];
}

function percentage(share: number): string {
  // Of 0.07 * 100 only the first 12 digits are meant.
  return `${Number((share * 100).toPrecision(12))}%`;
}

function duration(milliseconds: number): string {
  return milliseconds === 0 ? '0ms' : formatQuantity('duration', milliseconds);
}

function size(bytes: number): string {
  return bytes === 0 ? '0B' : bytes % 1024 === 0 ? formatQuantity('size', bytes) : `${bytes}B`;
}
