import { describe, expect, it } from 'vitest';
import { RateLimit } from '../../../src/session/rate-limit.ts';
import { fc } from '../../support/fast-check.ts';

const rates = fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0.01, max: 100, noNaN: true }));
const visits = fc.array(fc.record({ wait: fc.nat(3000), wanted: fc.integer({ min: 1, max: 50 }) }), { minLength: 1 });

describe('a rate limit', () => {
  it('never admits more than the burst and what the time allows', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 20 }), visits, (rate, burst, all) => {
        const rateLimit = new RateLimit(rate, burst, 0);
        let now = 0;
        let admitted = 0;
        for (const { wait, wanted } of all) {
          now += wait;
          const count = rateLimit.admit(wanted, now);
          expect(count).toBeLessThanOrEqual(wanted);
          admitted += count;
          // A fast rate limit makes up for late timers: by 5 ms' worth.
          expect(admitted).toBeLessThanOrEqual(burst + ((now + 5) * rate) / 1000 + 1e-3);
        }
      }),
    );
  });

  it('never refuses a message that arrives when the next one is due', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 100 }), (rate, count) => {
        const rateLimit = new RateLimit(rate, 1, 0);
        let now = 0;
        for (let each = 0; each < count; each++) {
          expect(rateLimit.admit(1, now)).toBe(1);
          now = Math.max(now, Math.ceil(rateLimit.due));
        }
        expect(now).toBeGreaterThanOrEqual(((count - 1) * 1000) / rate - 5);
      }),
    );
  });

  it('admits the whole burst, however it is spread', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0, max: 1e8, noNaN: true }), (rate, now) => {
        const rateLimit = new RateLimit(rate, rate, now);
        for (let each = 0; each < rate; each++) expect(rateLimit.admit(1, now)).toBe(1);
        expect(rateLimit.admit(1, now)).toBeLessThanOrEqual(rate > 200 ? 1 : 0);
      }),
    );
  });
});
