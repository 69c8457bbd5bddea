/** Programs that say what they have done: with yodel and without, they print the same. */
import { expect, test } from 'vitest';
import { run } from '../support/process/command.ts';

const root = new URL('../../', import.meta.url).pathname;
const versions = { yodel: 'examples', 'node:net': 'test/applications/plain' };

const programs: Record<string, RegExp> = {
  'pool.ts': /^ONE TWO THREE FOUR FIVE SIX\n6 requests on 3 connections, 3 of them open\n$/,
  'graceful-restart.ts': /^60 answers, from answer 1, says the old server to answer 60, says the new server\n$/,
  'open-telemetry.ts':
    /^hello Ada\ngreet in a span\nmessage in a span\nsession\nhandler\.duration \{.*"count":1.*\}\n$/,
};

for (const [name, expected] of Object.entries(programs)) {
  test.each(Object.entries(versions))(`${name} with %s prints the expected output`, async (_, folder) => {
    const { status, stdout, stderr } = await run([process.execPath, `${root}${folder}/${name}`]);
    expect(stderr).toBe('');
    expect(stdout.toString()).toMatch(expected);
    expect(status).toBe(0);
  });
}
