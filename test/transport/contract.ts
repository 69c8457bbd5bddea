/**
 * What every transport must do. The tests are the same for all of them; {@link Place} describes the differences between places.
 */
import { describe } from 'vitest';
import type { Transport } from '../../src/transport/transport.ts';
import { describeBackPressure } from './contract/back-pressure.ts';
import { describeBreaks } from './contract/breaks.ts';
import { describeBytes } from './contract/bytes.ts';
import { describeConnecting } from './contract/connecting.ts';
import { describeEnds } from './contract/ends.ts';
import { describeHandshake } from './contract/handshake.ts';
import { describeListening } from './contract/listening.ts';
import { describeStart } from './contract/start.ts';
import { Network, type Place } from './network.ts';

/** Registers the contract's tests for a transport, once for each place. */
export function describeTransport(name: string, createTransport: () => Transport, places: readonly Place[]): void {
  for (const place of places) {
    describe(`${name}, ${place.name}`, () => {
      const openNetwork = () => new Network(createTransport(), place);
      describeBytes(openNetwork, place);
      describeBackPressure(openNetwork, place);
      describeStart(openNetwork, place);
      describeEnds(openNetwork, place);
      describeBreaks(openNetwork, place);
      describeConnecting(openNetwork, place);
      describeHandshake(openNetwork, place);
      describeListening(openNetwork);
    });
  }
}
