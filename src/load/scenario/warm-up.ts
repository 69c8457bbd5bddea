import type { LoadSettings } from '../plan.ts';
import { withEcho } from '../warm-up.ts';
import { ScenarioGenerator } from './generator.ts';
import type { ScriptText } from './text.ts';

const durationMs = 300;
const connections = 4;

const lines = ['> hello {connection}', '< hello {name}', '@repeat', '> ping {random:8}', '< ping {key}', '@end'];
const ping: ScriptText = {
  ...{ file: 'warm-up', lines, included: {}, variables: {}, modules: [], hasWire: false },
  requests: [{ line: 4, file: undefined, text: '> ping {random:8}' }],
};

/** Plays a short transcript against an echo server in this process, so that the runtime has compiled what plays transcripts. */
export async function warmUpScenario(settings: LoadSettings): Promise<void> {
  await withEcho(async (address) => {
    const plain = {
      address,
      tls: {},
      transcript: ping,
      durationMs,
      count: null,
      rate: null,
      timeoutMs: 1000,
      threads: 1,
    };
    const warm = { ...settings, ...plain, stages: undefined, reconnectEach: false };
    const share = { settings: warm, connections, firstConnection: 1, count: null, index: 0 };
    const generator = new ScenarioGenerator(share, () => undefined);
    if ((await generator.open()) === undefined) {
      generator.run(performance.now());
      await generator.ended;
    } else generator.stop();
  });
}
