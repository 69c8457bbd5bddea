/**
 * The length of the operating system's queue of connections on Bun, which always asks for 512. Clients of a Unix socket whose queue
 * is full fail at once (EAGAIN), those of a TCP port wait for a second.
 */

/** What Bun asks for. */
const bunBacklog = 512;
/** The C library: glibc, musl, macOS. */
const libraries = ['libc.so.6', 'libc.so', 'libSystem.B.dylib'];

/** The part of `bun:ffi` that is used here. */
interface ForeignFunctions {
  dlopen(
    library: string,
    functions: { readonly listen: { readonly args: readonly string[]; readonly returns: string } },
  ): { readonly symbols: { listen(descriptor: number, backlog: number): number } };
}

type Listen = (descriptor: number, backlog: number) => number;

/** `listen(2)`. Undefined: not looked for yet; null: it cannot be called. */
let listen: Listen | null | undefined;

/** Gives a socket that listens already another length of its queue, on Bun. Where that is not possible, it stays as it is. */
export function setBacklogOnBun(descriptor: number | undefined, backlog: number): void {
  if (!process.versions.bun || descriptor === undefined || descriptor < 0 || backlog === bunBacklog) return;
  listen ??= findListen();
  listen?.(descriptor, backlog);
}

function findListen(): Listen | null {
  const foreign = process.getBuiltinModule('bun:ffi') as unknown as ForeignFunctions | undefined;
  for (const library of libraries) {
    try {
      return foreign?.dlopen(library, { listen: { args: ['i32', 'i32'], returns: 'i32' } }).symbols.listen ?? null;
    } catch {
      // Another system, or one that does not allow it.
    }
  }
  return null;
}
