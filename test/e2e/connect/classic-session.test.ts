import { expect } from 'vitest';
import { temporaryFile } from '../../support/files.ts';
import { closedLine } from '../../support/log.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');

/** Starts `yodel serve ARGS` in its own terminal. Returns its port. */
async function serveIn(terminal: Terminal, args = ''): Promise<number> {
  terminal.enter(`yodel serve --listen 127.0.0.1:0 ${args}`);
  const [, port] = await terminal.sees(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/);
  return Number(port);
}

tmux('the first line names the framing, which a transcript may set', async () => {
  const [transcript, raw] = [new Terminal(), new Terminal()];
  const path = temporaryFile('talk.transcript', '> hello\n< hello\n');
  await serveIn(transcript, path);
  await transcript.sees(/talk\.transcript, framing lines, or that of the transcript\n/);
  await serveIn(raw, '--framing raw');
  await raw.sees(/handler echo, framing raw\n/);
});

tmux('the classic session: a server in one window, a client in the other, typed by hand', async () => {
  const [left, right] = [new Terminal(), new Terminal()];
  const port = await serveIn(left);
  await left.sees(/handler echo, framing lines\n/);
  await left.sees(/talk to it from another terminal: yodel connect/);

  right.enter(`yodel connect :${port}`);
  await right.sees(/connected to tcp:\/\/127\.0\.0\.1:\d+: Enter sends, :help lists commands, Ctrl-D ends\n>$/);
  await left.sees(/127\.0\.0\.1:\d+#1 connected/);
  for (const message of ['hello', 'Is anybody there', 'grüezi']) {
    right.enter(message);
    await right.sees(new RegExp(`> ${message}\\n< ${message} {2}\\d+(\\.\\d+)? ms\\n>$`));
    await left.sees(new RegExp(`#1 \\d+ B ${message}`));
  }
  right.press('C-d');
  await right.sees(/ms\n>\n\$$/);
  await left.sees(closedLine(3, 3));
  right.enter('echo "status $?"');
  await right.sees(/\nstatus 0\n/);

  left.press('C-c');
  await left.sees(/\^C\n\$$/);
  left.enter('echo "status $?"');
  await left.sees(/\nstatus 0\n/);
});

tmux('two clients at once get their own replies', async () => {
  const [server, first, second] = [new Terminal(), new Terminal(), new Terminal()];
  const port = await serveIn(server);
  for (const client of [first, second]) {
    client.enter(`yodel connect :${port}`);
    await client.sees(/connected/);
  }
  first.enter('from the first');
  second.enter('from the second');
  await first.sees(/< from the first/);
  await second.sees(/< from the second/);
  expect(first.screen()).not.toContain('second');
  expect(second.screen()).not.toContain('first');
});

tmux('Ctrl-C on the server drains it, and prints how to end it at once', async () => {
  const [server, client] = [new Terminal(), new Terminal()];
  const port = await serveIn(server, '--rate 4/s');
  client.enter(`yodel connect :${port}`);
  await client.sees(/connected/);
  for (const message of ['one', 'two', 'three']) client.enter(message);
  await client.sees(/> three\n[\s\S]*>$/);
  server.press('C-c');
  await server.sees(/\^C[\s\S]*yodel: draining 1 connection; Ctrl-C again exits at once/);
  await client.sees(/< one[\s\S]*< two[\s\S]*< three[\s\S]*the server ended the connection\n\$$/);
  await server.sees(closedLine(3, 3, 'the server shut down'));
  await server.sees(/\n\$$/);
});

tmux('a second Ctrl-C on the server ends it at once, with exit status 130', async () => {
  const [server, client] = [new Terminal(), new Terminal()];
  const port = await serveIn(server, '--rate 1/m');
  client.enter(`yodel connect :${port}`);
  await client.sees(/connected/);
  for (const message of ['one', 'two']) client.enter(message);
  await client.sees(/> two\n[\s\S]*< one[\s\S]*>$|< one[\s\S]*> two\n[\s\S]*>$/);
  server.press('C-c');
  await server.sees(/again exits at once/);
  server.press('C-c');
  await server.sees(/\^C\n?\$$/);
  server.enter('echo "status $?"');
  await server.sees(/\nstatus 130\n/);
});
