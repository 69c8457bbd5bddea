/** A process of a load test that runs in several. It is told what to do on stdin, and tells on stdout; see `workers.ts`. */
import { createInterface } from 'node:readline';
import { Generator } from './generator.ts';
import { openWarm } from './warm-up.ts';
import type { Answer, Order } from './workers.ts';

let generator: Generator | undefined;

function say(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function obey(order: Order): Promise<void> {
  if ('open' in order) {
    generator = new Generator(order.open, (interval, tally, up, isLast) =>
      say({ interval, tally: tally.toJSON(), up, isLast }),
    );
    void generator.ended.then((end) => say({ end }));
    const failure = await openWarm(generator, order.open.settings);
    say({ opened: failure ? { code: failure.code, message: failure.message } : null });
  } else if ('run' in order) {
    generator?.run(order.run - performance.timeOrigin);
  } else {
    generator?.stop();
  }
}

// Ctrl-C in a terminal goes to all its processes: the parent says what is to be done.
process.on('SIGINT', () => undefined).on('SIGTERM', () => undefined);
// The parent has gone, and its output with it.
process.stdout.on('error', () => process.exit(1));
createInterface({ input: process.stdin })
  .on('line', (line) => void obey(JSON.parse(line) as Order))
  .on('close', () => process.exit(0));
