/** One of several processes of a load test. Its parent sends commands and receives reports; see `workers.ts`. */
import { pathToFileURL } from 'node:url';
import { wireExport } from '../framing/own/exported.ts';
import { type LocalPart, localPart } from './local-part.ts';
import type { LoadCommand, LoadReport } from './workers.ts';

let generator: LocalPart | undefined;

function send(report: LoadReport): void {
  if (process.connected) process.send?.(report, () => undefined);
}

async function execute(command: LoadCommand): Promise<void> {
  if ('open' in command) {
    for (const file of command.open.settings.files ?? []) {
      const module = (await import(pathToFileURL(file).href)) as { readonly default: unknown };
      wireExport(module.default, file);
    }
    generator = localPart(command.open, (interval, tally, up, isLast) =>
      send({ interval, tally: tally.toJSON(), up, isLast }),
    );
    void generator.ended.then((end) => send({ end }));
    const failure = await generator.open();
    send({ opened: failure ? { code: failure.code, message: failure.message } : null });
  } else if ('run' in command) {
    generator?.run(command.run - performance.timeOrigin);
  } else {
    generator?.stop();
  }
}

// Ctrl-C in a terminal goes to all its processes: the parent decides what to do.
process.on('SIGINT', () => undefined).on('SIGTERM', () => undefined);
process.on('message', (command) => void execute(command as LoadCommand));
process.on('disconnect', () => process.exit(0));
