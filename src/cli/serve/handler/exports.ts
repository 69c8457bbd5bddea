/** What a handler file exports besides its handler: options of the server that belong to the handler. */
import { checkCodec } from '../../../codec/values.ts';
import { checkCorrelate } from '../../../requests/correlation.ts';
import type { AnyServeOptions } from '../../../server/options.ts';
import { UsageError } from '../../fail.ts';

/** As `export const data = (session) => …`, `codec`, `correlate`, `errorReply`, `authorizeUpgrade`. Undefined: the default of `serve()`. */
export type HandlerExports = Pick<AnyServeOptions, 'data' | 'codec' | 'correlate' | 'errorReply' | 'authorizeUpgrade'>;

/** The server's options for handlers without any of their own. */
export const noExports: HandlerExports = {
  data: undefined,
  codec: undefined,
  correlate: undefined,
  errorReply: undefined,
  authorizeUpgrade: undefined,
};

/** Takes them from all that a file exports. @throws UsageError for one that cannot be used */
export function handlerExportsOf(exported: Readonly<Record<string, unknown>>, file: string): HandlerExports {
  const { data, codec, correlate, errorReply, authorizeUpgrade } = exported;
  const check = (name: string, test: () => unknown) => {
    try {
      test();
    } catch (error) {
      throw new UsageError(`the export "${name}" of ${file} cannot be used: ${(error as Error).message}`);
    }
  };
  check('codec', () => checkCodec(codec));
  check('correlate', () => checkCorrelate(correlate));
  if (data !== undefined && typeof data !== 'function')
    throw new UsageError(`the export "data" of ${file} cannot be used: it is not a function (session) => data`);
  for (const [name, given] of Object.entries({ errorReply, authorizeUpgrade })) {
    if (given !== undefined && typeof given !== 'function')
      throw new UsageError(`the export "${name}" of ${file} cannot be used: it is not a function`);
  }
  return { data, codec, correlate, errorReply, authorizeUpgrade } as HandlerExports;
}
