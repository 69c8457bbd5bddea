/** The other end of a connection. */
export { Peer } from '../../src/testing/peer.ts';
