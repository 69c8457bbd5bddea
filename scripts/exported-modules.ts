/** The modules that programs import: the `exports` of package.json. */
import { readFileSync } from 'node:fs';

const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  exports: Readonly<Record<string, string | { readonly default: string }>>;
};

/** Their paths in src/ and dist/, without an ending, such as `framing/library`. */
export const exportedModules: readonly string[] = Object.values(exports).flatMap((target) =>
  typeof target === 'string' ? [] : target.default.replace(/^\.\/dist\/(.*)\.js$/, '$1'),
);

/** The one that runs in browsers. It is bundled into one file that imports nothing. */
export const browserModule = 'browser/library';
