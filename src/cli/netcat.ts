/**
 * Answers flags of netcat that have no meaning in yodel with what to write instead: `yodel -lk 7878` with
 * `yodel serve --listen :7878`.
 */

/** What a command line of netcat says. */
interface NetcatLine {
  /** The letters of the flags, with the values of those that take one. */
  readonly flags: ReadonlyMap<string, string>;
  /** Host and port, or a path. */
  readonly places: readonly string[];
  /** The handler of yodel serve, if one is given. */
  readonly handler: string | undefined;
  /** Whether a flag is not one of netcat's, so that the line cannot be translated. */
  readonly hasOthers: boolean;
}

/** The letters of flags that take a value in netcat or ncat. */
const withValue = new Set([...'ceimopqswxX']);

/** Long flags of ncat by their letters. */
const longFlags: Readonly<Record<string, string>> = {
  listen: 'l',
  'keep-open': 'k',
  udp: 'u',
  exec: 'e',
  'sh-exec': 'c',
  'max-conns': 'm',
  source: 's',
  'source-port': 'p',
  nodns: 'n',
  output: 'o',
  'hex-dump': 'x',
  delay: 'i',
  'recv-only': 'd',
  'send-only': '>',
  telnet: 't',
  unixsock: 'U',
};

/** Flags that yodel connect has too. */
const kept: Readonly<Record<string, string>> = { C: '-C', z: '-z', v: '-v' };

/** What to know about each flag. A function is given whether the line listens. */
const notes: Readonly<Record<string, string | ((listens: boolean) => string)>> = {
  l: 'yodel serve listens',
  k: 'yodel serve accepts any number of clients, one after another and at once',
  u: 'yodel speaks TCP, not UDP',
  e: programNote,
  c: programNote,
  q: 'after the end of input yodel connect waits for replies, and --wait says how long',
  N: 'yodel connect always ends its side after the input, unless --no-shutdown is given',
  p: (listens) => (listens ? 'the port belongs to the address' : 'the port of this side cannot be chosen'),
  s: (listens) =>
    listens ? 'the address to listen on is that of --listen' : 'the address of this side cannot be chosen',
  n: 'an IP address is never looked up',
  d: 'to send nothing, read from /dev/null',
  '>': 'to ignore what the server sends, discard the output',
  o: '--record writes a transcript',
  x: '--hex shows bytes on a terminal, and --record writes a transcript',
  X: 'yodel uses no proxies',
  i: '--interval is the pause between messages',
  m: '--max-connections is the limit',
  t: 'yodel answers no telnet negotiation',
  r: 'the operating system chooses the port of this side',
  U: 'a Unix socket is an address, unix:PATH',
  '4': 'an IPv4 address chooses IPv4',
  '6': 'an IPv6 address chooses IPv6',
};

function programNote(listens: boolean): string {
  if (listens) return 'a program that answers is a handler, exec:COMMAND';
  return 'yodel connect runs no program; a server runs one for each client: yodel serve exec:COMMAND';
}

/**
 * What to write instead of an unknown flag, if it is one of netcat's.
 *
 * @param flag as it was given, perhaps one of several letters: `-lk`
 * @param words the command line after `yodel`
 * @param command the command, if there is one
 */
export function netcatAdvice(flag: string, words: readonly string[], command: string | undefined): string | undefined {
  if (command !== undefined && !['serve', 'connect', 'send'].includes(command)) return undefined;
  // yodel serve has long flags of the same names.
  if (command === 'serve' && flag.startsWith('--')) return undefined;
  const letters = lettersOf(flag);
  const letter = letters.find((one) => one in notes);
  const isKept = command === undefined && letters.length > 0 && letters.every((one) => one in kept || one === 'w');
  if (letter === undefined && !isKept) return undefined;
  const line = readNetcat(command === undefined ? words : words.slice(words.indexOf(command) + 1), command);
  const listens = line.flags.has('l') || command === 'serve';
  if (command === 'send' && letter === 'r') return 'to send messages several times, write --repeat N --interval TIME';
  const note = notes[letter ?? ''] ?? 'it belongs to yodel connect';
  const text = typeof note === 'string' ? note : note(listens);
  const instead = command === 'send' ? undefined : translate(line, listens);
  return instead === undefined ? text : `${text}. Write: ${instead}`;
}

/** What to write instead of `yodel HOST PORT`, which names no command. */
export function addressAdvice(words: readonly string[]): string | undefined {
  const line = readNetcat(words, undefined);
  const [host = '', port] = line.places;
  const isAddress = /^[\w.-]*:\d+$|^(?:tcp|tls|wss?|unix):|^[\w-]+(?:\.[\w-]+)+$/.test(host);
  return isAddress || /^\d+$/.test(port ?? '') ? translate(line, false) : undefined;
}

function lettersOf(flag: string): string[] {
  if (!flag.startsWith('--')) return [...flag.slice(1)];
  const name = flag.slice(2).replace(/=.*/, '');
  return Object.hasOwn(longFlags, name) ? [longFlags[name] as string] : [];
}

function readNetcat(words: readonly string[], command: string | undefined): NetcatLine {
  const flags = new Map<string, string>();
  const places: string[] = [];
  let hasOthers = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (!/^-./.test(word)) {
      places.push(word);
      continue;
    }
    const letters = command === 'serve' && word.startsWith('--') ? [] : lettersOf(word);
    hasOthers ||= letters.length === 0;
    const takes = letters.findIndex((letter) => withValue.has(letter));
    for (const letter of takes === -1 ? letters : letters.slice(0, takes)) flags.set(letter, '');
    if (takes === -1) continue;
    // The value follows in the same word, after "=", or in the next one.
    const rest = word.startsWith('--') ? word.replace(/^[^=]*=?/, '') : letters.slice(takes + 1).join('');
    flags.set(letters[takes] as string, rest === '' ? (words[++at] ?? '') : rest);
  }
  const isHandler = (place: string) => command === 'serve' && !/^\d+$/.test(place);
  const handler = places.find(isHandler);
  return { flags, places: places.filter((place) => !isHandler(place)), handler, hasOthers };
}

/** The same in yodel's words; undefined if that is not possible. */
function translate({ flags, places, handler, hasOthers }: NetcatLine, listens: boolean): string | undefined {
  if (hasOthers || flags.has('u') || (!listens && (flags.has('e') || flags.has('c')))) return undefined;
  const parts = listens ? serveWords(flags, places, handler) : connectWords(flags, places);
  return parts?.join(' ');
}

function serveWords(
  flags: NetcatLine['flags'],
  places: readonly string[],
  handler: string | undefined,
): string[] | undefined {
  const program = flags.get('e') ?? flags.get('c');
  const serving = program === undefined ? handler : `exec:${program}`;
  const limit = flags.get('m');
  // `nc -l 7878`, `nc -l HOST 7878`, `nc -l -p 7878`.
  const isPort = (text: string | undefined) => text !== undefined && /^\d+$/.test(text);
  const port = flags.get('p') ?? places.findLast(isPort);
  const host = flags.get('s') ?? places.find((place) => !isPort(place)) ?? '';
  if (flags.has('U') && host === '') return undefined;
  const hasAddress = host !== '' || port !== undefined || flags.has('l');
  const hasPort = port === undefined && /:\d+$/.test(host);
  const address = flags.has('U') ? unixAddress(host) : hasPort ? host : `${host}:${port ?? 'PORT'}`;
  return [
    'yodel serve',
    ...(serving === undefined ? [] : [quoted(serving)]),
    ...(hasAddress ? [`--listen ${quoted(address)}`] : []),
    ...(limit === undefined ? [] : [`--max-connections ${quoted(limit)}`]),
  ];
}

function connectWords(flags: NetcatLine['flags'], places: readonly string[]): string[] | undefined {
  const [first] = places;
  if (first === undefined) return ['yodel connect HOST PORT', ...connectFlags(flags)];
  const place = flags.has('U') ? [quoted(unixAddress(first))] : places.map(quoted);
  return ['yodel connect', ...place, ...connectFlags(flags)];
}

function connectFlags(flags: NetcatLine['flags']): string[] {
  const given = (letter: string, write: (value: string) => string) => {
    const value = flags.get(letter);
    return value === undefined ? [] : [write(value)];
  };
  return [
    ...Object.entries(kept).flatMap(([letter, flag]) => given(letter, () => flag)),
    ...given('w', (value) => `-w ${quoted(value)}`),
    // In netcat a negative time is none.
    ...given('q', (value) => `--wait ${value.startsWith('-') ? '0' : seconds(value)}`),
    ...given('i', (value) => `--interval ${seconds(value)}`),
    ...given('o', (value) => `--record ${quoted(value)}`),
    ...given('d', () => '< /dev/null'),
    ...given('>', () => '> /dev/null'),
  ];
}

function seconds(value: string): string {
  return /^\d+$/.test(value) ? `${value}s` : quoted(value || 'TIME');
}

function unixAddress(path: string): string {
  return path.startsWith('/') ? `unix://${path}` : `unix:${path}`;
}

/** A word as a shell reads it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
