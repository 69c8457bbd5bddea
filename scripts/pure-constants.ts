/**
 * Marks the constants of a bundled file as free of side effects, so that bundlers of programs leave out those that are not used, with
 * all that they call. What a module of yodel computes when it is loaded has no side effects: package.json says so (`sideEffects`), but
 * bundlers read that for whole files only.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseAst } from 'rolldown/parseAst';

/** A node of the syntax tree, as far as it is used here. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [member: string]: unknown;
}

/** Rewrites a file: `const a = f(g())` becomes `const a = (() => f(g()))()`, which is marked. Lines stay where they are. */
export function markPureConstants(file: string): void {
  const text = readFileSync(file, 'utf8');
  const { body } = parseAst(text) as unknown as { body: Node[] };
  const values = body.flatMap((statement) => (statement.type === 'VariableDeclaration' ? valuesOf(statement) : []));
  let rewritten = text;
  // From the end, so that positions stay valid.
  for (const { start, end } of values.reverse())
    rewritten = `${rewritten.slice(0, start)}/* @__PURE__ */ (() => (${rewritten.slice(start, end)}))()${rewritten.slice(end)}`;
  rewritten = rewritten.replace(
    naming,
    (call, name: string) => `const named_${name} = /* @__PURE__ */ (() => ${call})()`,
  );
  if (rewritten !== text) writeFileSync(file, rewritten);
}

/** The bundler gives a function that it had to rename its name of src/ back, which would keep the function in every bundle. */
const naming = /^__name\(([\w$]+), "[\w$]+"\)(?=;$)/gm;

/** The values that call something: of a constant with one name. */
function valuesOf(declaration: Node): Node[] {
  const declarators = declaration.declarations as { id: Node; init: Node | null }[];
  return declarators.flatMap(({ id, init }) =>
    id.type === 'Identifier' && init && calls(init) && !awaits(init) ? [init] : [],
  );
}

/** Whether evaluating an expression calls something. Functions in it are not called by that. */
function calls(node: Node): boolean {
  return contains(node, ['CallExpression', 'NewExpression']);
}

function awaits(node: Node): boolean {
  return contains(node, ['AwaitExpression']);
}

function contains(node: Node, types: readonly string[]): boolean {
  if (types.includes(node.type)) return true;
  if (/Function|^Class/.test(node.type)) return false;
  return Object.values(node).some((member) => {
    const children = Array.isArray(member) ? member : [member];
    return children.some((child) => typeof child?.type === 'string' && contains(child as Node, types));
  });
}
