/**
 * Notices when files change, whatever way leads to them: they are rewritten, replaced by renaming, or a link on their path is
 * (`live/cert.pem -> ../archive/cert2.pem`, `current -> releases/2`, the `..data` of Kubernetes).
 *
 * The directories of the files, and of every link on the way, are watched. What the operating system does not report, such as
 * a change on a network file system or a directory that is renamed, is found by looking at the files now and then.
 */
import { type FSWatcher, lstatSync, readlinkSync, type Stats, statSync, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** How long files must be unchanged before they are read again, because a certificate and its key are two files. */
const quietMs = 200;
/** How often the files are looked at. It costs a system call for each, in a thread. */
const lookEveryMs = 2000;
/** As many links as Linux follows. */
const maxLinks = 40;

/** Options for tests. Times are milliseconds. */
export interface FileWatchOptions {
  readonly quietMs?: number | undefined;
  readonly lookEveryMs?: number | undefined;
  /** Whether the operating system is asked to report changes. Default: yes. */
  readonly watches?: boolean | undefined;
  /** What has changed since this time, in milliseconds since 1970, is noticed at once: it may have been read before that. */
  readonly since?: number | undefined;
}

/** Calls back after files have changed. Ends with {@link close}. */
export class FileWatch {
  readonly #changed: () => void;
  readonly #watches: boolean;
  readonly #quietMs: number;
  readonly #looking: NodeJS.Timeout;
  #files: readonly string[];
  #watchers: FSWatcher[] = [];
  #quiet: NodeJS.Timeout | undefined;
  #isLooking = false;
  /** What the files were when the callback was last called. */
  #seen: string;

  /** @param changed called once for changes that are close together */
  constructor(files: readonly string[], changed: () => void, options: FileWatchOptions = {}) {
    this.#files = files;
    this.#changed = changed;
    this.#watches = options.watches ?? true;
    this.#quietMs = options.quietMs ?? quietMs;
    this.#seen = identitiesNow(files);
    this.#watch();
    if (options.since !== undefined && changedSince(files, options.since)) this.#notice();
    this.#looking = setInterval(() => void this.#look(), options.lookEveryMs ?? lookEveryMs).unref();
  }

  /** From now on watches these files. */
  follow(files: readonly string[]): void {
    if (files.join('\0') === this.#files.join('\0')) return;
    this.#files = files;
    this.#seen = identitiesNow(files);
    this.#watch();
  }

  close(): void {
    clearTimeout(this.#quiet);
    clearInterval(this.#looking);
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #watch(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
    if (!this.#watches) return;
    for (const [directory, names] of placesOf(this.#files)) {
      try {
        const watcher = watch(directory, (_event, name) => {
          if (name === null || names.has(name)) this.#notice();
        });
        // The directory was removed, or there are no more watches. What is missed now is found by looking.
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // As above.
      }
    }
  }

  #notice(): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      this.#seen = identitiesNow(this.#files);
      // The way to the files may be another one now.
      this.#watch();
      this.#changed();
    }, this.#quietMs);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const [files, before] = [this.#files, this.#seen];
    // Not in the event loop: a network file system may not respond.
    const found = await Promise.all(files.map((file) => stat(file).then(identityOf, () => identityOf(undefined))));
    this.#isLooking = false;
    if (files === this.#files && before === this.#seen && before !== found.join()) this.#notice();
  }
}

function identitiesNow(files: readonly string[]): string {
  return files.map((file) => identityOf(statNow(file))).join();
}

function statNow(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}

/** Whether a file, or a link on the way to it, is newer than that. */
function changedSince(files: readonly string[], since: number): boolean {
  return files.flatMap(wayTo).some(([directory, name]) => {
    const stats = lstatSync(join(directory, name), { throwIfNoEntry: false });
    return stats !== undefined && stats.ctimeMs >= since;
  });
}

/** Which file a path leads to, and in which version. Empty if there is none: it may be in the middle of being replaced. */
function identityOf(stats: Stats | undefined): string {
  return stats ? `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}` : '';
}

/** The directories in which something on the way to the files may change, with the names of it. */
function placesOf(files: readonly string[]): Map<string, Set<string>> {
  const places = new Map<string, Set<string>>();
  for (const [directory, name] of files.flatMap(wayTo)) {
    const names = places.get(directory);
    if (names) names.add(name);
    else places.set(directory, new Set([name]));
  }
  return places;
}

/** The file itself, and every link on the path to it, as directory and name. */
function wayTo(file: string): [directory: string, name: string][] {
  const way: [string, string][] = [];
  let path = resolve(file);
  for (let links = 0; links <= maxLinks; links++) {
    const link = firstLinkIn(path);
    if (!link) break;
    way.push([dirname(link.at), basename(link.at)]);
    path = link.leadsTo;
  }
  way.push([dirname(path), basename(path)]);
  return way;
}

/** The first link on a path, and the path with that link followed. */
function firstLinkIn(path: string): { at: string; leadsTo: string } | undefined {
  const names = path.split(sep);
  for (let depth = 2; depth <= names.length; depth++) {
    const at = names.slice(0, depth).join(sep);
    const target = targetOf(at);
    if (target === undefined) continue;
    return { at, leadsTo: join(resolve(dirname(at), target), ...names.slice(depth)) };
  }
  return undefined;
}

/** What a link contains. Undefined for anything else, and for nothing. */
function targetOf(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}
