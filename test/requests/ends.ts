import { onTestFinished } from 'vitest';
import type { Correlate } from '../../src/requests/correlation.ts';
import { Requests } from '../../src/requests/requests.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';

/** For values that are texts. */
// biome-ignore lint/suspicious/noExplicitAny: the values are whatever a codec makes of them
type ByText = Correlate<any>;

/** `1:text` has the id 1. */
export const byNumber: ByText = {
  requestId: (text: string) => numberOf(text),
  replyId: (text: string) => numberOf(text),
};

function numberOf(text: string): number | undefined {
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : Number(text.slice(0, colon));
}

/** The requests of one end. What it sends has left once it was sent, unless the test says otherwise. */
export function requestsOf(correlate: ByText | undefined, maxInFlight = 0) {
  const clock = new FakeClock();
  const sent: string[] = [];
  const end = { left: Number.POSITIVE_INFINITY };
  const requests = new Requests<string, string>({
    clock,
    correlate,
    maxInFlight,
    link: {
      peerName: 'the peer',
      sendRequest: (text) => sent.push(text) - 1,
      hasLeft: (position) => position < end.left,
    },
  });
  const send = (text: string) => {
    sent.push(text);
    requests.sent();
  };
  const request = (text: string, timeoutMs = 0, signal?: AbortSignal) => requests.request(text, timeoutMs, signal);
  onTestFinished(() => {
    // What is still pending when the test ends is rejected, and nobody asks any more.
    requests.fail(new Error('the test has ended') as never);
  });
  return { clock, sent, end, requests, send, request };
}
