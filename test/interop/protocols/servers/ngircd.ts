import { temporaryFile } from '../../../support/files.ts';
import { testWithPython } from '../../../support/tools.ts';
import { type ProtocolProgram, python, startServer } from './server.ts';

/** Without penalties, for which a client would wait seconds, and without questions about the client's name. */
function configuration(port: number): string {
  return `[Global]
  Name = irc.example
  Info = test
  Listen = 127.0.0.1
  Ports = ${port}
  MotdPhrase = hello
  ServerUID = nobody
  ServerGID = nogroup
[Limits]
  MaxConnectionsIP = 0
  MaxPenaltyTime = 0
[Options]
  DNS = no
  Ident = no
  PAM = no
`;
}

const client = `
import irc.client, sys
reactor = getattr(irc.client, 'Reactor', getattr(irc.client, 'IRC', None))()
ada = reactor.server().connect('127.0.0.1', int(sys.argv[1]), 'ada')
reactor.add_global_handler('welcome', lambda connection, event: connection.join('#talk'))
reactor.add_global_handler('join', lambda connection, event: (print(event.source, event.target), connection.quit()))
reactor.add_global_handler('disconnect', lambda connection, event: sys.exit())
reactor.process_forever(0.01)
`;

/** ngircd and the client of python3-irc. */
export const ngircd: ProtocolProgram = {
  name: 'ngircd and python3-irc',
  test: testWithPython(['irc.client'], ['/usr/sbin/ngircd'], 'apt-get install ngircd python3-irc'),
  async start() {
    // It tells its clients how many connections it has had, so that none is made to try whether it listens.
    const { port } = await startServer(
      (free) => ['/usr/sbin/ngircd', '-n', '-f', temporaryFile('ngircd.conf', configuration(free))],
      { ready: /Now listening on/ },
    );
    return port;
  },
  ask: (port) => python(client, port),
  answer: /^ada!~ada@\S+ #talk\n$/,
};
