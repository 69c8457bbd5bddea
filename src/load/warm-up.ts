/**
 * Lets the runtime compile what the measuring runs through, before it counts: in the first tenths of a second the
 * generator is several times as slow as afterwards, and that would be held against the server.
 */
import { TcpAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { Connection, Listener } from '../transport/transport.ts';
import { Generator } from './generator.ts';
import { carriesMessages, type LoadSettings } from './plan.ts';

/** After that Bun gets no faster any more, and Node only a little: measured with 150, 300 and 600 ms. */
const durationMs = 300;
const connections = 8;
/** Enough to run through everything, however slow the real rate is. */
const rate = 20_000;
/** Larger messages take the same ways, and longer. */
const largestSize = 1024;

/** Makes a generator's connections, as its `open`. Before, so that none of them waits for its first message. */
export async function openWarm(generator: Generator, settings: LoadSettings): Promise<YodelError | undefined> {
  await warmUp(settings);
  return await generator.open();
}

/** Measures an echo in this process, and forgets the result. */
async function warmUp(settings: LoadSettings): Promise<void> {
  let listener: Listener;
  try {
    listener = await listenForEcho();
  } catch (error) {
    // Where nobody may listen, the first second is a little slow.
    if (error instanceof YodelError) return;
    throw error;
  }
  const generator = new Generator(
    { settings: forWarmUp(settings, listener), connections, firstConnection: 1, count: null, index: 0 },
    () => undefined,
  );
  if ((await generator.open()) === undefined) {
    generator.run(performance.now());
    await generator.ended;
  } else {
    generator.stop();
  }
  await listener.close();
}

function forWarmUp(settings: LoadSettings, { address }: Listener): LoadSettings {
  const { messages, pipeline } = settings;
  const [first] = 'given' in messages ? messages.given : [];
  const isShort = first !== undefined && first.length <= largestSize;
  return {
    ...settings,
    address: String(address),
    framing: carriesMessages(settings) ? 'lines' : settings.framing,
    connections,
    pipeline: pipeline === null ? null : Math.min(pipeline, 1000),
    rate: settings.rate === null ? null : rate,
    count: null,
    durationMs,
    messages: isShort
      ? { given: [first] }
      : { size: 'size' in messages ? Math.min(messages.size, largestSize) : largestSize },
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
