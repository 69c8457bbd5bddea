/** A server of two nodes, and the engine between them. */
import { type Command, type Engine, engines } from './contenders.ts';
import { freePort, type Server, startServer } from './server.ts';

/**
 * Starts the engine, and then the nodes, each of which serves half of the clients.
 *
 * @param command the command of a node that listens on a port, with the address of the engine
 * @throws Failure when one of the three does not listen
 */
export async function startNodes(
  engine: Engine,
  command: (port: number, bus: string) => Command,
  clients: number,
  core: number | undefined,
): Promise<Server> {
  const started: Server[] = [];
  const kill = async () => void (await Promise.all(started.map((server) => server.kill())));
  const begin = async (what: (port: number) => Command) => {
    const port = await freePort();
    const server = await startServer(what(port), port, clients, core);
    started.push(server);
    return server;
  };
  try {
    const { pid: enginePid, port } = await begin(engines[engine]);
    const first = await begin((own) => command(own, `${engine}://127.0.0.1:${port}`));
    const other = await begin((own) => command(own, `${engine}://127.0.0.1:${port}`));
    const explain = (error: unknown) => started.reduce((so, server) => server.explain(so), error);
    return { pid: first.pid, port: first.port, nodes: { port: other.port, pid: other.pid, enginePid }, explain, kill };
  } catch (error) {
    await kill();
    throw error;
  }
}

/** The processes of a server: one, or its nodes and the engine between them. */
export function processesOf({ pid, nodes }: Server): readonly number[] {
  return nodes ? [pid, nodes.pid, nodes.enginePid] : [pid];
}
