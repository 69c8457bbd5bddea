/** Handlers around handlers. */
import { type HandlerCallbacks, type HandlerObject, nameHandler, nameOfHandler } from './handler.ts';

/**
 * A handler with some callbacks of its own, and all others of the handler inside, which are called as its methods. It has the
 * same name in the log.
 */
export function wrapHandler(inner: HandlerCallbacks, own: HandlerCallbacks): HandlerObject {
  const wrapped: Record<PropertyKey, unknown> = {};
  for (const key of keysOf(inner)) {
    const value = (inner as Record<PropertyKey, unknown>)[key];
    wrapped[key] = typeof value === 'function' ? value.bind(inner) : value;
  }
  const handler = Object.assign(wrapped, own) as HandlerObject;
  return nameHandler(handler, nameOfHandler(inner) ?? '');
}

/** Also those that it inherits: a handler may be an object of a class. */
function keysOf(inner: object): Set<PropertyKey> {
  const keys = new Set<PropertyKey>();
  for (let from = inner; from && from !== Object.prototype; from = Object.getPrototypeOf(from) as object)
    for (const key of Reflect.ownKeys(from)) if (key !== 'constructor') keys.add(key);
  return keys;
}
