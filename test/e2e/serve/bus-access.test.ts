/** What `yodel serve --bus` says about users and passwords, and what not. */
import { expect } from 'vitest';
import { BrokerProgram, withBrokers } from '../../bus/broker/programs.ts';
import { temporaryFile } from '../../support/files.ts';
import { serve } from '../../support/process/command.ts';

withBrokers('a wrong password is a line of the log, which says where it comes from but not the password', async () => {
  const [redis, nats] = await Promise.all([
    BrokerProgram.start('redis', ['--requirepass', 'opensesame']),
    BrokerProgram.start('nats', ['--auth', 'opensesame']),
  ]);
  const file = temporaryFile('credentials', 'opensesame1\n');
  const wrong = await Promise.all([
    serve(['chat', '--bus', redis.url('user:opensesame1@')]),
    serve(['chat'], { env: { YODEL_BUS: nats.url('opensesame1@') } }),
    serve(['chat', '--bus', nats.url(), '--bus-credentials', file]),
  ]);
  for (const { saw } of wrong)
    await saw(/disconnected.*(WRONGPASS|Authorization Violation): .* in the address of the bus/);
  const right = await Promise.all([
    serve(['chat'], { env: { YODEL_BUS: redis.url(':opensesame@') } }),
    serve(['chat', '--bus', nats.url()], {
      env: { YODEL_BUS_CREDENTIALS: temporaryFile('token', 'opensesame') },
    }),
  ]);
  for (const { saw } of right) await saw(/bus connected/);
  for (const { stdout, stderr } of [...wrong, ...right]) expect(stdout() + stderr()).not.toMatch(/opensesame/);
});

withBrokers('a bus on another machine without TLS, or without a password, is warned of', async () => {
  // Addresses for documentation, where nobody answers.
  const servers = await Promise.all([
    serve(['chat', '--bus', 'redis://192.0.2.1']),
    serve(['chat', '--bus', 'redis://user:opensesame@192.0.2.1']),
    serve(['chat', '--bus', 'tls://192.0.2.1']),
  ]);
  const warnings = servers.map(({ stderr }) => [/has no TLS/.test(stderr()), /needs no password/.test(stderr())]);
  expect(warnings).toEqual([
    [true, true],
    [true, false],
    [false, true],
  ]);
  for (const { stdout, stderr } of servers) expect(stdout() + stderr()).not.toMatch(/opensesame/);
});
