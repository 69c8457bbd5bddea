import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFile, temporaryFolder } from '../support/files.ts';
import { closedLine } from '../support/log.ts';
import { run, serve, start } from '../support/process/command.ts';
import { relay } from '../support/relay.ts';
import { Terminal } from '../support/terminal.ts';
import { testWith } from '../support/tools.ts';

const nc = testWith('nc.openbsd', 'apt-get install netcat-openbsd');
const ncat = testWith('ncat', 'apt-get install ncat');
const socat = testWith('socat', 'apt-get install socat');
const telnet = testWith(['telnet', 'tmux'], 'apt-get install telnet tmux');
const python = testWith('python3', 'apt-get install python3');

const text = Array.from({ length: 5000 }, (_, line) => `line ${line} of many, grüezi 你好`).join('\n');
const expected = { output: text, stderr: '', status: 0 };

async function exchange(...program: [string, ...string[]]): Promise<typeof expected> {
  const { stdout, stderr, status } = await run(program, { input: text });
  return { output: stdout.toString(), stderr, status: status ?? -1 };
}

nc('nc -N sends a file, ends its side, and gets it back', async () => {
  const { port } = await serve(['--quiet']);
  expect(await exchange('nc.openbsd', '-N', '127.0.0.1', String(port))).toEqual(expected);
});

nc('nc -q 1 gets the file back without ending its side', async () => {
  const { port } = await serve(['--quiet']);
  expect(await exchange('nc.openbsd', '-q', '1', '127.0.0.1', String(port))).toEqual(expected);
});

nc('nc talks line by line while its input stays open', async () => {
  const { port } = await serve();
  const client = start(['nc.openbsd', '127.0.0.1', String(port)]);
  for (const word of ['one', 'two', 'three']) {
    client.process.stdin?.write(`${word}\n`);
    await client.saw(new RegExp(`^${word}$`, 'm'));
  }
});

nc('nc -U talks over a Unix socket', async () => {
  const path = join(temporaryFolder(), 'socket');
  await serve(['--quiet', '--listen', `unix://${path}`]);
  expect(await exchange('nc.openbsd', '-N', '-U', path)).toEqual(expected);
});

nc('nc -z finds the port open, and the server continues', async () => {
  const server = await serve();
  expect((await run(['nc.openbsd', '-z', '127.0.0.1', String(server.port)])).status).toBe(0);
  await server.saw(/closed after [^,]+, 0 messages /);
  expect(await exchange('nc.openbsd', '-N', '127.0.0.1', String(server.port))).toEqual(expected);
});

ncat('ncat sends a file and gets it back', async () => {
  const { port } = await serve(['--quiet']);
  expect(await exchange('ncat', '127.0.0.1', String(port))).toEqual(expected);
});

ncat('ncat -C sends CRLF and gets CRLF back', async () => {
  const server = await serve();
  const { stdout } = await run(['ncat', '-C', '127.0.0.1', String(server.port)], { input: 'one\ntwo\n' });
  expect(stdout.toString()).toBe('one\r\ntwo\r\n');
  await server.saw(/3 B one\n.*3 B two\n/);
});

ncat('a dozen ncat clients get only their own replies', async () => {
  const { port } = await serve(['--quiet']);
  const inputs = Array.from({ length: 12 }, (_, client) => `client ${client} says something\n`.repeat(1000));
  const outcomes = await Promise.all(inputs.map((input) => run(['ncat', '127.0.0.1', String(port)], { input })));
  for (const [client, { stdout }] of outcomes.entries()) expect(stdout.toString()).toBe(inputs[client]);
});

socat('socat sends a file and gets it back', async () => {
  const { port } = await serve(['--quiet']);
  expect(await exchange('socat', '-t', '10', '-', `TCP:127.0.0.1:${port}`)).toEqual(expected);
});

socat('socat with crnl sends CRLF and gets CRLF back', async () => {
  const server = await serve();
  const { stdout } = await run(['socat', '-t', '10', '-', `TCP:127.0.0.1:${server.port},crnl`], {
    input: 'one\ntwo\n',
  });
  // socat removes the CR again.
  expect(stdout.toString()).toBe('one\ntwo\n');
  await server.saw(/3 B one\n.*3 B two\n/);
});

socat('socat talks over a Unix socket', async () => {
  const path = join(temporaryFolder(), 'socket');
  await serve(['--quiet', '--listen', `unix://${path}`]);
  expect(await exchange('socat', '-t', '10', '-', `UNIX-CONNECT:${path}`)).toEqual(expected);
});

telnet('telnet on a terminal: lines come back, and CRLF stays CRLF', async () => {
  const server = await serve();
  const between = await relay(server.port);
  const terminal = new Terminal();
  terminal.enter(`telnet 127.0.0.1 ${between.port}`);
  await terminal.sees(/Escape character is/);
  for (const line of ['hello', 'is anybody there']) {
    terminal.enter(line);
    await terminal.sees(new RegExp(`\n${line}\n${line}$`));
  }
  expect(between.sent().toString()).toBe('hello\r\nis anybody there\r\n');
  expect(between.replied().toString()).toBe('hello\r\nis anybody there\r\n');
  await server.saw(/ 5 B hello\n/);
  terminal.press('C-]');
  await terminal.sees(/telnet>/);
  terminal.enter('quit');
  await server.saw(closedLine(2, 2));
});

const blockingPython = `
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    replies = connection.makefile("rb")
    for number in range(1000):
        message = f"message {number} from Python\\n".encode()
        connection.sendall(message)
        assert replies.readline() == message, number
    connection.shutdown(socket.SHUT_WR)
    assert replies.read() == b""
print("1000 exchanges")
`;

python('a blocking Python client: write a line, wait for the reply, 1000 times', async () => {
  const server = await serve(['--no-messages']);
  const { stdout, stderr } = await run(['python3', '-c', blockingPython, String(server.port)]);
  expect({ output: stdout.toString(), stderr }).toEqual({ output: '1000 exchanges\n', stderr: '' });
  await server.saw(closedLine(1000, 1000));
});

python('a Python client that reads 512 bytes at a time', async () => {
  const { port } = await serve(['--quiet']);
  const client = `
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    for word in ["hello", "grüezi", "x" * 511]:
        connection.sendall((word + "\\n").encode())
        reply = b""
        while not reply.endswith(b"\\n"):
            reply += connection.recv(512)
        print(reply.decode(), end="")
`;
  const { stdout, status } = await run(['python3', '-c', client, String(port)], { env: { PYTHONIOENCODING: 'utf8' } });
  expect(stdout.toString()).toBe(`hello\ngrüezi\n${'x'.repeat(511)}\n`);
  expect(status).toBe(0);
});

const blockingRust = `
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    let mut replies = BufReader::new(connection.try_clone()?);
    for number in 0..1000 {
        let message = format!("message {} from Rust\\n", number);
        connection.write_all(message.as_bytes())?;
        let mut reply = String::new();
        replies.read_line(&mut reply)?;
        assert_eq!(reply, message);
    }
    connection.shutdown(Shutdown::Write)?;
    let mut rest = Vec::new();
    replies.read_to_end(&mut rest)?;
    assert!(rest.is_empty());
    println!("1000 exchanges");
    Ok(())
}
`;

// A Rust compiler is too large to require it in CI: without one the test is skipped.
const hasRust = spawnSync('rustc', ['--version']).status === 0;

test.skipIf(!hasRust)('a blocking Rust client: write a line, wait for the reply, 1000 times', async () => {
  const source = temporaryFile('client.rs', blockingRust);
  const program = join(temporaryFolder(), 'client');
  execFileSync('rustc', ['--edition', '2021', '-o', program, source], { stdio: 'pipe' });
  const server = await serve(['--no-messages']);
  const { stdout, stderr } = await run([program, String(server.port)]);
  expect({ output: stdout.toString(), stderr }).toEqual({ output: '1000 exchanges\n', stderr: '' });
  await server.saw(closedLine(1000, 1000));
});
