/** The grammar in docs/transcripts.md is the one that the parser reads: in both directions, for random lines. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { fc } from '../support/fast-check.ts';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(`${root}docs/transcripts.md`, 'utf8');

/** A rule's right side. */
type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'repeat' | 'optional'; readonly node: Node }
  | { readonly kind: 'sequence' | 'choice'; readonly nodes: readonly Node[] };

/** Reads a grammar in EBNF (ISO/IEC 14977, as far as the page uses it). */
class GrammarReader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    const withoutComments = text.replace(/\(\*.*?\*\)/gs, '');
    this.#tokens = withoutComments.match(/"[^"]+"|\? [^?]* \?|[A-Za-z]+|\S/g) ?? [];
  }

  read(): Map<string, Node> {
    const rules = new Map<string, Node>();
    while (this.#at < this.#tokens.length) {
      const name = this.#next();
      expect(this.#next()).toBe('=');
      rules.set(name, this.#choice());
      expect(this.#next()).toBe(';');
    }
    return rules;
  }

  #next(): string {
    return this.#tokens[this.#at++] ?? 'the end';
  }

  #choice(): Node {
    return {
      kind: 'choice',
      nodes: this.#list('|', () => ({ kind: 'sequence', nodes: this.#list(',', () => this.#item()) })),
    };
  }

  #list(separator: string, read: () => Node): Node[] {
    const nodes = [read()];
    while (this.#tokens[this.#at] === separator) {
      this.#at++;
      nodes.push(read());
    }
    return nodes;
  }

  #item(): Node {
    const token = this.#next();
    if (token.startsWith('"')) return { kind: 'text', text: token.slice(1, -1) };
    if (!'{[('.includes(token)) return { kind: 'rule', name: token };
    const node = this.#choice();
    expect(this.#next()).toBe({ '{': '}', '[': ']', '(': ')' }[token]);
    return token === '(' ? node : { kind: token === '{' ? 'repeat' : 'optional', node };
  }
}

const [, grammarText = ''] = /## Grammar\n+```\n(.*?)```/s.exec(page) ?? [];
const grammar = new GrammarReader(grammarText).read();

/** What the page says in words: an example of each, and the characters. `whole` is a rule that the rest of the line may match. */
const words: Readonly<Record<string, { readonly examples: readonly string[]; readonly form: RegExp }>> = {
  any: { examples: ['a', ' ', '/', '{', '}', '"', 'é', '😀', '#', '>', '|', '\\'], form: /./su },
  plain: { examples: ['a', ' ', '{', '}', '/', 'é'], form: /[^\\]/u },
  inside: { examples: ['a', ' ', ':', '=', '7', 'é'], form: /[^\\{}]/u },
  timechar: { examples: ['-', ' ', ':', 'T'], form: /[^%{}]/u },
  letter: { examples: ['a', 'B'], form: /[A-Za-z]/ },
  digit: { examples: ['1', '7'], form: /[0-9]/ },
  hexdigit: { examples: ['0', 'a', 'F'], form: /[0-9a-fA-F]/ },
  word: { examples: ['a', 'some.file'], form: /\S+/ },
  key: { examples: ['a', 'b-c'], form: /[^\s.[\]*]+/ },
  own: { examples: ['sign'], form: /sign/ },
  address: { examples: ['127.0.0.1:7878', ':1', 'ws://a:1/b'], form: /\S+/ },
  framing: { examples: ['lines', 'length:2'], form: /\S.*/ },
  protocol: { examples: ['smtp', 'redis'], form: /\S+/ },
  file: { examples: ['a.transcript', 'with spaces'], form: /\S.*/ },
  '? a JSON value, in which braces may stand for values and within strings ?': {
    examples: ['{"a": {id}}', '[1,"x{b}"]', '{name=1}', 'true', '{"a":"{crc32:x}"}'],
    form: /.*/,
  },
  '? any but a backslash and a slash ?': { examples: ['a', '|', '.', ' '], form: /[^\\/]/u },
  '? bytes with escapes, such as \\0 ?': { examples: ['\\0', 'a\\x0d'], form: /\S*\\\S*/ },
};

/** Random texts of a rule. */
function textsOf(name: string): fc.Arbitrary<string> {
  const { result } = fc.letrec<Record<string, string>>((tie) => {
    const arbitraryOf = (node: Node): fc.Arbitrary<string> => {
      switch (node.kind) {
        case 'text':
          return fc.constant(node.text);
        case 'rule':
          return words[node.name] ? fc.constantFrom(...(words[node.name]?.examples ?? [])) : tie(node.name);
        case 'optional':
          return fc.oneof({ maxDepth: 4, depthSize: 'small' }, fc.constant(''), arbitraryOf(node.node));
        case 'repeat':
          return fc
            .array(arbitraryOf(node.node), { maxLength: 4, depthIdentifier: 'repeat' })
            .map((all) => all.join(''));
        case 'sequence':
          return fc.tuple(...node.nodes.map(arbitraryOf)).map((all) => all.join(''));
        case 'choice':
          return fc.oneof(...node.nodes.map(arbitraryOf));
      }
    };
    return { ...Object.fromEntries([...grammar].map(([rule, node]) => [rule, arbitraryOf(node)])), result: tie(name) };
  });
  return result as fc.Arbitrary<string>;
}

/** Whether a text is one of a rule: the places where the rule can end, for each place where it begins. */
function isIn(rule: string, text: string): boolean {
  const known = new Map<Node, Map<number, Iterable<number>>>();
  const ends = (node: Node, at: number): Iterable<number> => {
    const ofNode = known.get(node) ?? new Map<number, Iterable<number>>();
    known.set(node, ofNode);
    const found = ofNode.get(at) ?? endsOf(node, at);
    ofNode.set(at, found);
    return found;
  };
  const endsOf = (node: Node, at: number): Iterable<number> => {
    switch (node.kind) {
      case 'text':
        return new Set(text.startsWith(node.text, at) ? [at + node.text.length] : []);
      case 'rule':
        return words[node.name] ? endsOfWord(node.name, at) : ends(grammar.get(node.name) as Node, at);
      case 'optional':
        return new Set([at, ...ends(node.node, at)]);
      case 'choice':
        return new Set(node.nodes.flatMap((one) => [...ends(one, at)]));
      case 'sequence':
        return node.nodes.reduce<readonly number[]>(
          (starts, one) => [...new Set(starts.flatMap((start) => [...ends(one, start)]))],
          [at],
        );
      case 'repeat': {
        const all = new Set([at]);
        for (const start of all) for (const end of ends(node.node, start)) all.add(end);
        return all;
      }
    }
  };
  const endsOfWord = (name: string, at: number): Iterable<number> => {
    const form = new RegExp(`^(?:${words[name]?.form.source})$`, 'su');
    const found = new Set<number>();
    for (let end = at + 1; end <= text.length; end++) if (form.test(text.slice(at, end))) found.add(end);
    return found;
  };
  return new Set(ends(grammar.get(rule) as Node, 0)).has(text.length);
}

/** Why a line is not valid; undefined if it is. */
function problemOf(line: string): string | undefined {
  try {
    const readModule = () => ({ sign: () => '' });
    parseTranscript(`@use own.ts\n${line}`, 'talk', { readFile: () => '', readModule });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Errors about what a grammar cannot say. */
const otherErrors = [
  /invalid pattern|takes the flags|flag is repeated/,
  /\\u\{.*\} is not a character/,
  /captures nothing|takes a number of characters/,
  /@end without|has no @end|takes a number of rounds/,
  /exports no function|includes itself|says both framings/,
  /expected a time/,
  /@(expect-)?ending takes/,
];

it('the parser reads every line that the grammar has', () => {
  let valid = 0;
  let count = 0;
  fc.assert(
    fc.property(textsOf('line'), (line) => {
      const problem = problemOf(line);
      count++;
      if (problem === undefined) valid++;
      else if (!otherErrors.some((one) => one.test(problem))) throw new Error(`${line}\n${problem}`);
    }),
    { numRuns: 5000 },
  );
  expect(valid / count).toBeGreaterThan(0.7);
});

it('the grammar has every line that the parser reads', () => {
  const piece = fc.constantFrom(
    ...['>', '<', '> ', '< ', '>x ', '<x', '>\\ ', '>h ', '<h\\ ', '<h /a/', '>b ', '<j ', '<?', '<? ', '<*', 'A> '],
    ...['@close', '@repeat', '@set a=', '@ignore $', '@wait ', '1s', '.a', '..b', '[*]', ' A', ' 7', '@end', '# '],
    ...['{a}', '{b:2}', '{c=', '{length:2:', '{crc32:', '{sign:', '{now:%H', '{random:8}', '{env:HOME', '{', '}', '/'],
    ...['x', '00', 'ff', ' ', '|', '\\n', '\\{', '"', ':', '=', '1', '(', ')', '.', 'é', '[', ']', ',', '😀'],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const line = pieces.join('');
      if (problemOf(line) === undefined && !isIn('line', line)) throw new Error(`not in the grammar: ${line}`);
    }),
    { numRuns: 10_000 },
  );
});

it('the grammar has every line of the examples', () => {
  const files = readdirSync(`${root}examples`).filter(
    (name) => name.endsWith('.transcript') && name !== 'broken.transcript',
  );
  const texts = files.map((name) => readFileSync(`${root}examples/${name}`, 'utf8'));
  const blocks = [...page.matchAll(/```transcript\n(.*?)```/gs)].map(([, text]) => String(text));
  const lines = [...texts, ...blocks].flatMap((text) => text.split('\n'));
  expect(lines.length).toBeGreaterThan(100);
  expect(lines.filter((line) => !isIn('line', line))).toEqual([]);
});
