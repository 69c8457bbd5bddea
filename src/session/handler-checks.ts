/** Checks of what a program gives as its handler: mistakes that the compiler cannot see, or that plain JavaScript makes. */
import { YodelError } from '../errors.ts';
import { editDistance } from '../suggestion.ts';

/** The callbacks of handlers, and of middleware. */
const callbackNames: readonly string[] = [
  ...['start', 'stop', 'open', 'message', 'batch', 'end', 'close'],
  ...['missed', 'taken', 'stored', 'authorize'],
];
const expectedForm =
  'A handler is a function (message, session) => reply, or an object with open, message or batch, end, and close';

/** Refuses a function that is no handler, or no middleware. @throws YodelError `YODEL_INVALID_HANDLER` */
export function checkHandlerFunction(handler: { readonly name: string }, what = 'the handler'): void {
  // A class is a function too, which throws when it is called.
  if (!/^class\b/.test(Function.prototype.toString.call(handler))) return;
  // A default export without a name has this one.
  const name = handler.name === '' || handler.name === 'default' ? 'Handler' : handler.name;
  throw invalid(`${what} is the class ${name}, not an object of it: write new ${name}()`);
}

/**
 * Refuses an object that is no handler, or has a callback that is misspelt.
 *
 * @throws YodelError `YODEL_INVALID_HANDLER`
 */
export function checkHandlerObject(handler: unknown): asserts handler is object {
  const callbacks = objectOf(handler);
  const { forwarding } = callbacks;
  if (forwarding !== undefined && forwarding !== 'frames' && forwarding !== 'transparent')
    throw invalid('the handler\'s "forwarding" is neither "frames" nor "transparent"');
  for (const name of ['descriptors', 'descriptorsPerCall'])
    if (callbacks[name] !== undefined && !isCount(callbacks[name]))
      throw invalid(`the handler's "${name}" is not a whole number from 0`);
  if (!hasCallbacks(callbacks)) throw invalid('the handler has no callback');
  if (callbacks.message && callbacks.batch)
    throw invalid('the handler has both "message" and "batch"; leave one of them out');
}

/** @throws YodelError `YODEL_INVALID_HANDLER` for what is no object, or another one than the program meant */
function objectOf(handler: unknown): Record<string, unknown> {
  if (typeof handler === 'string')
    throw invalid(
      `the handler is the text "${handler}". Those of yodel are functions and objects: import { echo } from 'yodel'`,
    );
  if (typeof handler !== 'object' || handler === null) throw invalid(`this is not a handler, but ${kindOf(handler)}`);
  if (Array.isArray(handler)) throw invalid('the handler is an array; of several handlers, compose() makes one');
  const callbacks = handler as Record<string, unknown>;
  if (typeof callbacks.then === 'function') {
    const imported = "of a module: (await import('./handler.ts')).default";
    throw invalid(`the handler is a promise: await it first; ${imported}`);
  }
  const isModule = Object.prototype.toString.call(handler) === '[object Module]' || callbacks.__esModule === true;
  if (isModule && callbacks.default !== undefined && !callbackNames.some((name) => callbacks[name] !== undefined))
    throw invalid('the handler is a module: give its export, such as module.default');
  return callbacks;
}

/**
 * Whether it has callbacks.
 *
 * @param what has them
 * @throws YodelError `YODEL_INVALID_HANDLER` for one that is misspelt or no function
 */
export function hasCallbacks(callbacks: Record<string, unknown>, what = 'the handler'): boolean {
  refuseMisspelt(callbacks, what);
  const given = callbackNames.filter((name) => callbacks[name] !== undefined);
  const wrong = given.find((name) => typeof callbacks[name] !== 'function');
  if (wrong !== undefined)
    throw invalid(`the "${wrong}" of ${what} is not a function, but ${kindOf(callbacks[wrong])}`);
  return given.length > 0;
}

/** A misspelt callback would never be called, and nothing would say so. @throws YodelError `YODEL_INVALID_HANDLER` */
function refuseMisspelt(callbacks: Record<string, unknown>, what: string): void {
  for (const name of functionsOf(callbacks)) {
    const meant = meantCallback(name, callbacks);
    if (meant === undefined) continue;
    const way = `If you did not mean that, give your own function a name that is less like "${meant}"`;
    throw invalid(`${what} has "${name}", which is never called. Did you mean "${meant}"? ${way}`);
  }
}

/** The names of an object's functions, also of those that it inherits. Getters are not called. */
function functionsOf(object: object): Set<string> {
  const names = new Set<string>();
  for (let from = object; from && from !== Object.prototype; from = Object.getPrototypeOf(from) as object) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from)))
      if (typeof value === 'function' && name !== 'constructor') names.add(name);
  }
  return names;
}

/** The callback that a program has probably meant by the name of one of its functions, and does not have. */
function meantCallback(name: string, callbacks: Record<string, unknown>): string | undefined {
  if (callbackNames.includes(name)) return undefined;
  const word = wordOf(name);
  if (ownWords.has(word)) return undefined;
  const isFree = (callback: string) =>
    callbacks[callback] === undefined && callbacks[counterparts[callback] ?? callback] === undefined;
  return callbackNames.find((callback) => isFree(callback) && isLike(word, callback));
}

/** What a handler has either of. */
const counterparts: Readonly<Record<string, string>> = { message: 'batch', batch: 'message' };

/** Words that are near a callback, and that programs call their own functions. */
const ownWords: ReadonlySet<string> = new Set([
  ...['store', 'restore', 'storage', 'take', 'miss', 'send', 'append', 'extend', 'tend', 'mend', 'lend', 'bend'],
  ...[
    'pen',
    'step',
    'top',
    'shop',
    'drop',
    'lose',
    'clone',
    'chose',
    'closer',
    'restart',
    'starter',
    'smart',
    'chart',
    'stat',
    'token',
  ],
  ...['and', 'env', 'enc', 'rnd', 'oven'],
  ...['match', 'patch', 'catch', 'fetch', 'latch', 'watch', 'hatch', 'massage', 'passage', 'reopen', 'authorized'],
]);

/** `onMessage`, `handle_message` and `Message` are `message`. */
function wordOf(name: string): string {
  return name
    .replace(/^(on|handle)(?=[A-Z_])/, '')
    .replaceAll('_', '')
    .toLowerCase();
}

/** Whether it is the callback in another form, such as `messages`, `closed` or `messageHandler`, or a misspelling of it. */
function isLike(word: string, callback: string): boolean {
  if (word === callback || word === `${callback}handler` || word === `${callback}callback`) return true;
  const stem = callback.replace(/e$/, '');
  const isInflected = word.startsWith(stem) && /^\w?(s|es|ed|ned|ing)$/.test(word.slice(stem.length));
  if (isInflected) return true;
  return editDistance(word, callback) <= (callback.length < 7 ? 1 : 2);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object')
    return typeof (value as { then?: unknown }).then === 'function' ? 'a promise' : 'an object';
  return `a ${typeof value}`;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function invalid(reason: string): YodelError {
  return new YodelError('YODEL_INVALID_HANDLER', `${reason}. ${expectedForm}`);
}
