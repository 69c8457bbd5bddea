/** How many rooms a session may be in, and join per second. */
import type { Clock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import type { SessionLimits } from '../options.ts';
import type { Participant } from '../session/membership.ts';
import { RateLimit } from '../session/rate-limit.ts';
import { everyone } from './name.ts';

/** See the top of the file. */
export class JoinLimits {
  readonly #clock: Clock;
  readonly #rates = new WeakMap<Participant, RateLimit>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The session wants to join a room. @throws YodelError `YODEL_TOO_MANY_ROOMS`, `YODEL_JOIN_RATE` */
  check(participant: Participant, limits: Pick<SessionLimits, 'maxRoomsPerSession' | 'joinRate'>): void {
    const { maxRoomsPerSession, joinRate } = limits;
    const { memberships } = participant;
    const joined = memberships.size - (memberships.has(everyone) ? 1 : 0);
    if (maxRoomsPerSession > 0 && joined >= maxRoomsPerSession) {
      const text = `this connection is in ${maxRoomsPerSession} rooms, and cannot join another`;
      throw new YodelError('YODEL_TOO_MANY_ROOMS', text);
    }
    if (joinRate === 0) return;
    if (this.#rateOf(participant, joinRate).admit(1, this.#clock.now()) === 0)
      throw new YodelError('YODEL_JOIN_RATE', `this connection joins more than ${joinRate} rooms per second`);
  }

  #rateOf(participant: Participant, joinRate: number): RateLimit {
    let rate = this.#rates.get(participant);
    if (!rate) {
      rate = new RateLimit(joinRate, Math.max(1, joinRate), this.#clock.now());
      this.#rates.set(participant, rate);
    }
    return rate;
  }
}
