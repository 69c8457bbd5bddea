/** The servers that files are played against: one that runs already, or those that `--start` starts. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Address, defaultAddress, parseAddress, type SocketAddress, TcpAddress } from '../../address.ts';
import type { Transcript } from '../../transcript/transcript.ts';
import { UsageError } from '../fail.ts';
import { ServerFailed, type ServerFailureCode, ServerUnderTest, type StartSettings } from './server.ts';

/** What came of a run against a server. */
export interface Served<Result> {
  readonly result: Result;
  /** How the server failed meanwhile. */
  readonly failure: Error | undefined;
}

/** Gives each run its server. */
export interface Servers {
  /**
   * Calls `play` with the address of a server; undefined: each transcript's own. `play` resolves with whether it met trouble:
   * then the server may just be ending.
   *
   * @throws YodelError when the server does not start; what `play` throws, unless the server has failed
   */
  use<Result>(
    play: (address: Address | undefined) => Promise<Result>,
    isTrouble: (result: Result) => boolean,
  ): Promise<Served<Result>>;
  /** Ends what was started. Returns how a server failed after the last run. */
  close(): Promise<Error | undefined>;
}

/** A server that runs already. */
export function runningServer(address: Address | undefined): Servers {
  return {
    use: async (play) => ({ result: await play(address), failure: undefined }),
    close: async () => undefined,
  };
}

/** One server for all runs, started with the first. */
export function sharedServer(settings: StartSettings): Servers {
  let starting: Promise<ServerUnderTest> | undefined;
  let isFailed = false;
  return {
    async use(play, isTrouble) {
      const server = starting ? starting.catch(withoutExcerpt) : ServerUnderTest.start(settings);
      starting ??= server;
      const served = await playOn(await server, play, isTrouble);
      isFailed ||= served.failure !== undefined;
      return served;
    },
    async close() {
      // That it did not start is in the outcome of every file.
      const server = await starting?.catch(() => undefined);
      await server?.stop();
      return isFailed ? undefined : server?.failure;
    },
  };
}

/** The output of a server that did not start is told once. */
function withoutExcerpt(error: unknown): never {
  if (!(error instanceof ServerFailed)) throw error;
  throw new ServerFailed(error.code as ServerFailureCode, error.reason);
}

/** A server of its own for each run. */
export function serverPerRun(settings: StartSettings): Servers {
  return {
    async use(play, isTrouble) {
      const server = await ServerUnderTest.start(settings);
      try {
        const served = await playOn(server, play, isTrouble);
        await server.stop();
        return { ...served, failure: served.failure ?? server.failure };
      } finally {
        await server.stop();
      }
    },
    close: async () => undefined,
  };
}

/** Longer than it takes to learn that a process has ended whose connections have. */
const endMs = 150;

async function playOn<Result>(
  server: ServerUnderTest,
  play: (address: Address) => Promise<Result>,
  isTrouble: (result: Result) => boolean,
): Promise<Served<Result>> {
  try {
    const result = await play(server.address);
    if (isTrouble(result)) await Promise.race([server.ended, pause(endMs)]);
    return { result, failure: server.failure };
  } catch (error) {
    await Promise.race([server.ended, pause(endMs)]);
    throw server.failure ?? error;
  }
}

/**
 * Where the server of `--start` will listen: at the given address, else at the one that all files name, else, if the command
 * has a place for a port, at a free one.
 *
 * @throws UsageError
 */
export function addressToStart(
  given: Address | undefined,
  transcripts: readonly Transcript[],
  command: string,
): SocketAddress {
  const named = new Set(transcripts.map(({ address }) => address));
  if (!given && named.size > 1) {
    throw new UsageError('--start starts one server, but the files name several addresses; give the address');
  }
  const [only] = named;
  const free = command.includes('{port}') ? new TcpAddress(defaultAddress.host, 0) : defaultAddress;
  const address = given ?? (only === undefined ? free : parseAddress(only));
  if (address.scheme === 'exec') {
    throw new UsageError('--start starts a server to connect to; exec: starts its program by itself');
  }
  return address;
}
