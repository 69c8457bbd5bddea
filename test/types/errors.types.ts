/** The types of errors. Compiled by `npm run types`, never run. */
import { expectTypeOf } from 'vitest';
import { type ErrorCode, type OwnErrorCode, type Session, serve, YodelError } from '../../src/index.ts';

export const own = new YodelError('APP_DENIED', 'ada may not write', { cause: new Error('row 12'), reply: 'no' });
expectTypeOf(own.code).toEqualTypeOf<ErrorCode | OwnErrorCode>();
expectTypeOf(own.reply).toEqualTypeOf<string | undefined>();
expectTypeOf<'YODEL_REQUEST_TIMEOUT'>().toExtend<ErrorCode>();
// @ts-expect-error The table has only codes of yodel.
export const unknown: ErrorCode = 'APP_DENIED';
// @ts-expect-error An error has a message.
export const without = new YodelError('APP_DENIED');
// @ts-expect-error Misspelt.
export const misspelt = new YodelError('APP_DENIED', 'no', { repply: 'no' });

export class Denied extends YodelError {
  constructor(who: string) {
    super('APP_DENIED', `${who} may not write`, { reply: 'you may not write' });
  }
}

export async function ends(session: Session): Promise<void> {
  session.close(own);
  session.abort(new Denied('ada'));
  // @ts-expect-error Another error is a failure of the handler: throw it.
  session.close(new Error('no'));
  await serve({ telemetry: { closed: (_, error) => error?.code === 'APP_DENIED', stopFailed: ({ code }) => code } });
}
