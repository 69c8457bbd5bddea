/** Middleware and a handler, as one handler. */
import type { MaybeCodec } from '../codec/codec.ts';
import { YodelError } from '../errors.ts';
import { type Handler, type HandlerObject, nameHandler, nameOfHandler, resolveHandler } from '../session/handler.ts';
import { checkHandlerFunction, hasCallbacks } from '../session/handler-checks.ts';
import { join } from './compose/chain.ts';
import { type Middleware, type MiddlewareObject, madeFor } from './compose/middleware.ts';

/** As `NoInfer`, which gives functions in its place no types either. */
type Known<Type> = [Type][Type extends unknown ? 0 : never];

/**
 * Joins middleware and a handler to one handler. The first middleware is called first; what each passes on by `next` goes to the
 * one after it, and at last to the handler.
 *
 * ```ts
 * const timed: Middleware = async (message, session, next) => {
 *   const began = performance.now();
 *   const reply = await next();
 *   console.log(session.id, performance.now() - began);
 *   return reply;
 * };
 * await serve({ handler: compose(timed, (message) => message.text.toUpperCase()) });
 * ```
 *
 * The chain is built once, and without middleware it is the handler itself. What a middleware throws is as if the handler had thrown
 * it; it goes through the middleware before it, which may catch it. `forwarding` and `upstream` are the handler's, `descriptors` and
 * `descriptorsPerCall` add up, and `startsTls`, `awaitsClose`, `limitsItself` and `sequential` are true if they are in any part.
 *
 * @throws YodelError `YODEL_INVALID_HANDLER`
 */
export function compose<Data = unknown, C extends MaybeCodec = undefined>(
  ...parts: readonly [...middleware: Middleware<Known<Data>, Known<C>>[], handler: Handler<Data, C>]
): HandlerObject<Data, C>;
/** The same, where the middleware says what data sessions have, and the handler does not. */
export function compose<Data = unknown, C extends MaybeCodec = undefined>(
  ...parts: readonly [...middleware: Middleware<Data, Known<C>>[], handler: Handler<Data, C>]
): HandlerObject<Data, C>;
export function compose(...parts: readonly unknown[]): HandlerObject {
  const last = parts.at(-1);
  if (typeof last === 'function' && last.length > 2) {
    throw invalid(`compose() ends with a handler, and its last argument takes "next": ${last.name || 'a function'}`);
  }
  const handler = resolveHandler(last);
  const middlewares = parts.slice(0, -1).map(resolveMiddleware);
  const composed = middlewares.reduceRight<HandlerObject>((inner, middleware) => join(middleware, inner), handler);
  const names = [...middlewares, handler].map(nameOfHandler).filter((name) => name !== undefined && name !== '');
  return composed === handler || names.length === 0 ? composed : nameHandler(composed, names.join(' > '));
}

/** The object form of a middleware. @throws YodelError `YODEL_INVALID_HANDLER` */
function resolveMiddleware(given: unknown, index: number): MiddlewareObject {
  const where = `argument ${index + 1} of compose()`;
  if (typeof given === 'function') {
    checkHandlerFunction(given, where);
    return nameHandler({ message: given as never }, given.name);
  }
  if (Array.isArray(given)) throw invalid(`${where} is an array; write compose(...middlewares, handler)`);
  if (typeof given !== 'object' || given === null) throw invalid(`${where} is no middleware. ${expectedForm}`);
  if (!hasCallbacks(given as Record<string, unknown>, where) && !(madeFor in given))
    throw invalid(`${where} has no callback. ${expectedForm}`);
  return given;
}

function invalid(text: string): YodelError {
  return new YodelError('YODEL_INVALID_HANDLER', text);
}

const expectedForm =
  'Middleware is a function (message, session, next) => reply, or an object with the callbacks of a handler, each with next as its last parameter';
