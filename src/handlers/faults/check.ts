/** Checks faults that a program wrote: a misspelt member would have no effect. */
import { YodelError } from '../../errors.ts';
import { checkOption, type OptionKind, refuseUnknown } from '../../option-values.ts';
import { longestDuration } from '../../options.ts';
import { hintFor } from '../../suggestion.ts';
import { actionForms, type Fault, type FaultKind, isAboutMessages } from './fault.ts';

/** The members of a condition or action: the kind of their values. With `?` they may be left out, with `0` they may be 0. */
type Members = Readonly<Record<string, `${OptionKind}${'' | '0' | '?' | '?0'}`>>;

const conditionMembers: Members = {
  from: 'count?',
  to: 'count?',
  every: 'count?',
  afterTime: 'duration?0',
  afterBytes: 'size?0',
};

const actionMembers: Readonly<Record<FaultKind, Members>> = {
  latency: { time: 'duration0', jitter: 'duration?0' },
  bandwidth: { rate: 'size' },
  chunk: { size: 'size', variation: 'size?0', interval: 'duration?0' },
  corrupt: { bits: 'count?' },
  drop: {},
  duplicate: { copies: 'count?' },
  reorder: { distance: 'count?', within: 'duration?0' },
  reset: {},
  close: {},
  blackhole: { time: 'duration?0' },
  limit: { bytes: 'size?', messages: 'count?', time: 'duration?0' },
  'slow-close': { time: 'duration0' },
};

/** @throws YodelError `YODEL_INVALID_OPTION` */
export function checkFault(fault: Fault): void {
  if (typeof fault !== 'object' || fault === null) refuse('a fault is a text such as "reply 10% drop", or an object');
  refuseUnknown(fault, ['name', 'direction', 'when', 'action'], 'a fault');
  const { name, direction = 'reply', when = {}, action } = fault;
  if (name !== undefined && !/^[\w-]{1,64}$/.test(name)) {
    refuse(`the name of a fault has up to 64 letters, digits, "_" and "-"; "${name}" has not`);
  }
  checkOption('direction', { kind: 'choice', choices: ['request', 'reply', 'both'] }, direction);
  checkCondition(when);
  const kinds = Object.keys(actionForms);
  if (!kinds.includes(action?.kind)) {
    refuse(`there is no action "${String(action?.kind)}". ${hintFor(String(action?.kind), kinds)}`);
  }
  const members = actionMembers[action.kind];
  const more = action.kind === 'corrupt' ? ['frame'] : [];
  refuseUnknown(action, ['kind', ...more, ...Object.keys(members)], `the action "${action.kind}"`);
  checkMembers(`${action.kind}.`, members, action);
  const isOfTime = action.kind === 'slow-close' || (action.kind === 'limit' && action.time !== undefined);
  if (isOfTime && (isAboutMessages(when) || when.afterBytes !== undefined)) {
    refuse(
      `"${action.kind}" of a time has no message that a condition could be about; only sessions and a time can be`,
    );
  }
  if (action.kind !== 'limit') return;
  const { bytes, messages, time } = action;
  if ([bytes, messages, time].filter((value) => value !== undefined).length !== 1) {
    refuse('the action "limit" takes bytes, messages or a time, one of them');
  }
}

function checkCondition(when: NonNullable<Fault['when']>): void {
  refuseUnknown(
    when,
    ['probability', 'sessions', 'pattern', ...Object.keys(conditionMembers)],
    'the condition of a fault',
  );
  for (const name of ['probability', 'sessions'] as const) {
    const share = when[name];
    if (share === undefined || (typeof share === 'number' && share >= 0 && share <= 1)) continue;
    refuse(`the option "${name}" takes a share from 0 to 1, not ${String(share)}`);
  }
  const { pattern } = when;
  if (pattern !== undefined && !(pattern instanceof RegExp)) refuse('the option "pattern" takes a regular expression');
  if (pattern && /[gy]/.test(pattern.flags)) refuse('a pattern with the flag g or y would not match every message');
  checkMembers('when.', conditionMembers, when);
}

function checkMembers(where: string, members: Members, values: object): void {
  for (const [name, form] of Object.entries(members)) {
    const value = (values as Record<string, unknown>)[name];
    if (value === undefined && form.includes('?')) continue;
    const kind = form.replace(/[?0]/g, '') as OptionKind;
    const off = form.endsWith('0') ? { off: 'none' } : {};
    checkOption(`${where}${name}`, { kind, ...off, ...(kind === 'duration' && { max: longestDuration }) }, value);
  }
}

function refuse(problem: string): never {
  throw new YodelError('YODEL_INVALID_OPTION', problem);
}
