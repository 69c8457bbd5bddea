/** Mocks of transcripts, and clients that talk to them. */
import { onTestFinished } from 'vitest';
import { type Server, serve } from '../../../src/server/server.ts';
import { type MockServer, mockServer } from '../../../src/transcript/mock/mock.ts';
import type { MockOptions } from '../../../src/transcript/mock/options.ts';
import { parseTranscript } from '../../../src/transcript/parse.ts';
import { dial, type Peer } from '../../support/peer.ts';

/** A mock that listens. */
export interface Mocked {
  readonly mock: MockServer;
  readonly server: Server;
  /** Connects a client. */
  connect(): Promise<Peer>;
  /** Connects a client, sends a text, ends its side, and resolves with everything received. */
  say(text: string): Promise<string>;
}

/** Serves a transcript. */
export async function mocked(text: string, options: MockOptions = {}, variables = {}): Promise<Mocked> {
  const parsed = parseTranscript(text, 'talk.transcript', { variables });
  const mock = mockServer(parsed, options);
  const { protocol } = parsed;
  const listening = {
    listen: '127.0.0.1:0',
    lingerTimeout: 100,
    protocol: { ...protocol, encoding: 'binary' as const },
  };
  const server = await serve({ ...listening, handler: mock });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const connect = () => dial(Number(String(server.addresses[0]).split(':').at(-1)));
  return {
    mock,
    server,
    connect,
    async say(said) {
      const peer = await connect();
      await peer.send(Buffer.from(said, 'latin1'));
      peer.end();
      return (await peer.ended).toString('latin1');
    },
  };
}

/** What went wrong in the first run. */
export async function problemsOf({ mock }: Mocked): Promise<string[]> {
  const { problems, isCompleted } = await mock.done;
  const texts = problems.map(({ message }) => message);
  return isCompleted === (texts.length === 0) ? texts : ['the verdict contradicts its problems', ...texts];
}
