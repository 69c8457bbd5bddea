/** The types of WebSocket upgrades and certificates. Compiled by `npm run types`, never run. */
import { expectTypeOf } from 'vitest';
import { type Certificate, type Session, serve, type UpgradeRequest } from '../../src/index.ts';

export async function dataOfAnUpgradeIsThatOfTheSession(): Promise<void> {
  const options = { listen: false, data: () => ({ user: 'nobody' }) } as const;
  await serve({
    ...options,
    authorizeUpgrade: (request) => ({ data: { user: request.cookie('user') ?? 'nobody' } }),
    handler: (_, session) => session.data.user,
  });
  await serve({ ...options, authorizeUpgrade: async () => ({ data: { user: 'ada' } }) });
  // @ts-expect-error: the data of sessions has another type
  await serve({ ...options, authorizeUpgrade: () => ({ data: { user: 7 } }), handler: (_, { data }) => data.user });
}

export async function decisions(): Promise<void> {
  await serve({ authorizeUpgrade: ({ headers }) => headers.has('authorization') });
  await serve({
    authorizeUpgrade: async () => ({ status: 401, reason: 'no', headers: { 'Set-Cookie': ['a=1', 'b=2'] } }),
  });
  // @ts-expect-error: a text is no decision
  await serve({ authorizeUpgrade: () => 'yes' });
  // @ts-expect-error: nor is nothing
  await serve({ authorizeUpgrade: () => {} });
}

export function whatSessionsKnow({ upgrade, security }: Session): void {
  expectTypeOf(upgrade).toEqualTypeOf<UpgradeRequest | undefined>();
  expectTypeOf(upgrade?.url).toEqualTypeOf<URL | undefined>();
  expectTypeOf(upgrade?.headers.get('cookie')).toEqualTypeOf<string | undefined>();
  expectTypeOf(security?.certificate).toEqualTypeOf<Certificate | undefined>();
  expectTypeOf(security?.certificate?.subjectFields.CN).toEqualTypeOf<readonly string[] | undefined>();
}
