/**
 * Runs the generator against an echo server in this process before the measurement, so that the runtime has compiled its
 * code. In the first tenths of a second the generator is several times slower, which would look like a slow server.
 */
import { TcpAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { Connection, Listener } from '../transport/transport.ts';
import { Generator } from './generator.ts';
import { isWebSocket, type LoadSettings, protocolOf } from './plan.ts';

/** After this time Bun gets no faster, and Node only slightly. Measured with 150, 300 and 600 ms. */
const durationMs = 300;
const connections = 8;
/** Messages per second, enough to compile everything even if the real rate is low. */
const rate = 20_000;
/** Larger messages run through the same code, only longer. */
const maxSize = 1024;

/**
 * Warms up, then opens a generator's connections, so that no connection is idle during the warm-up. If the server may greet,
 * and it is not known how, the connections are opened first: what arrives on them meanwhile is the greeting.
 */
export async function warmUpAndOpen(generator: Generator, settings: LoadSettings): Promise<YodelError | undefined> {
  if (!generator.learnsGreeting) {
    await warmUp(settings);
    return await generator.open();
  }
  const failure = await generator.open();
  if (failure) return failure;
  await warmUp(settings);
  generator.learnGreeting();
  return undefined;
}

/** Runs a load test against an echo server in this process, and drops the result. */
async function warmUp(settings: LoadSettings): Promise<void> {
  await withEcho(async (address) => {
    const share = { settings: forWarmUp(settings, address), connections, firstConnection: 1, count: null, index: 0 };
    const generator = new Generator(share, () => undefined);
    if ((await generator.open()) === undefined) {
      generator.run(performance.now());
      await generator.ended;
    } else {
      generator.stop();
    }
  });
}

/** Runs something while an echo server listens in this process. Without permission to listen, does nothing. */
export async function withEcho(run: (address: string) => Promise<void>): Promise<void> {
  let listener: Listener;
  try {
    listener = await listenForEcho();
  } catch (error) {
    // Only the first second is slower then.
    if (error instanceof YodelError) return;
    throw error;
  }
  await run(String(listener.address));
  await listener.close();
}

function forWarmUp(settings: LoadSettings, address: string): LoadSettings {
  const { messages, pipeline } = settings;
  const [first] = 'given' in messages ? messages.given : [];
  const isShort = first !== undefined && first.length <= maxSize;
  return {
    ...settings,
    address,
    framing: isWebSocket(settings) ? 'lines' : settings.framing,
    // The echo server sends no greeting, and repeats what it receives.
    greeting: 0,
    stages: undefined,
    ...(protocolOf(settings).createState && { framing: 'lines', protocol: undefined }),
    connections,
    pipeline: pipeline === null ? null : Math.min(pipeline, 1000),
    rate: settings.rate === null ? null : rate,
    count: null,
    durationMs,
    messages: isShort ? { given: [first] } : { size: 'size' in messages ? Math.min(messages.size, maxSize) : maxSize },
    timeoutMs: 1000,
    threads: 1,
  };
}

function listenForEcho(): Promise<Listener> {
  const accept = (connection: Connection) => {
    connection.start({
      onData: (chunk) => connection.write(chunk),
      onEnd: () => connection.end(),
      onDrain() {},
      onClose() {},
    });
  };
  return runtimeTransport.listen(new TcpAddress('127.0.0.1', 0), { backlog: 64, accept, failed() {} });
}
