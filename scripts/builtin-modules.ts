/**
 * Rewrites static imports of built-in modules as `process.getBuiltinModule()`. For an `import` Node creates a module object
 * with every export of the built-in module, which calls all its getters: those of `node:fs` load the promises and streams,
 * those of `node:process` the reports, those of `node:crypto` the Web Crypto API. A server would load 28 unused modules, which
 * takes a fifth of its start-up time.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Matches minified code too: `import a from"node:fs";import{b as c}from"node:net";`. */
const staticImport = /(?<=^|[;}])import\b ?(?:\* ?as )?([\w$]+)?(?:, ?)?(\{[^}]*\})? ?from ?"(node:[\w/]+)";/gm;

/** Bundlers of programs leave out what they do not use only where the call is marked as pure; destructuring would use it. */
function pure(module: string, member: string): string {
  return `/* @__PURE__ */ (() => process.getBuiltinModule("${module}")${member})()`;
}

/** `{ a, b as c }` as pairs: what the file calls it, and its name in the module. */
function namesIn(names = '{}'): [own: string, name: string][] {
  const all = names
    .slice(1, -1)
    .split(',')
    .map((one) => one.trim());
  return all.filter(Boolean).map((one) => {
    const [name = '', own = name] = one.split(' as ');
    return [own, name];
  });
}

/** Rewrites the imports of a bundled file. Lines stay where they are, so its source map stays valid. */
export function rewriteBuiltinImports(file: string): void {
  const text = readFileSync(file, 'utf8').replace(
    staticImport,
    (_, whole: string | undefined, names: string | undefined, module: string) => {
      const constants = namesIn(names).map(([own, name]) => `${own} = ${pure(module, `.${name}`)}`);
      // `process` is a global too, and its own name would hide it.
      if (whole !== undefined && whole !== 'process') constants.unshift(`${whole} = ${pure(module, '')}`);
      return constants.length === 0 ? '' : `const ${constants.join(', ')};`;
    },
  );
  const left = /(?:(?<=^|[;}])import\b[^;"]*|\} from )"node:.*$/m.exec(text);
  if (left) throw new Error(`${file}: cannot rewrite ${left[0]}`);
  writeFileSync(file, text);
}
