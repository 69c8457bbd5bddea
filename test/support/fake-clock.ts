/** Time under the control of a test. */
export { FakeClock } from '../../src/testing/fake-clock.ts';
export { settled } from '../../src/testing/turns.ts';
