/** Merges the results of some workloads into those of an earlier run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LeftOut, LeftOutWorkload } from './build.ts';
import { contenders } from './contenders.ts';
import { described, type Results } from './results.ts';
import { workloads } from './workloads.ts';

/** The shape of `results.json`, where contenders and workloads that were left out are stored by name. */
type Written = Omit<Results, 'leftOut' | 'leftOutWorkloads'> & {
  readonly leftOut: readonly { contender: string; reason: string }[];
  /** An earlier run may not have this. */
  readonly leftOutWorkloads?: readonly { workload: string; reason: string }[];
};

/**
 * Returns the earlier results in the folder, with the tables of this run replaced or added. The page's head
 * remains that of the earlier run; each new table says when and how it was measured.
 */
export function addToEarlier(folder: string, results: Results): Results {
  const earlier = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Written;
  const isNew = (name: string) => results.tables.some(({ workload }) => workload.name === name);
  const added = results.tables.map((table) => ({ ...table, measured: described(results) }));
  const tables = [...earlier.tables.filter(({ workload }) => !isNew(workload.name)), ...added];
  return {
    ...earlier,
    // Those of programs that took no part in the earlier run.
    versions: { ...results.versions, ...earlier.versions },
    // An earlier run may not have this setting.
    settings: { ...earlier.settings, maxBackgroundClients: results.settings.maxBackgroundClients },
    leftOut: earlier.leftOut.flatMap(found),
    leftOutWorkloads: (earlier.leftOutWorkloads ?? [])
      .filter(({ workload }) => !isNew(workload))
      .flatMap(foundWorkload),
    tables: tables.toSorted((a, b) => placeOf(a.workload.name) - placeOf(b.workload.name)),
    runs: [...earlier.runs.filter(({ workload }) => !isNew(workload)), ...results.runs],
  };
}

function placeOf(name: string): number {
  return workloads.findIndex((workload) => workload.name === name);
}

function found({ contender: name, reason }: Written['leftOut'][number]): LeftOut[] {
  const contender = contenders.find((one) => one.name === name);
  return contender ? [{ contender, reason }] : [];
}

function foundWorkload({ workload: name, reason }: { workload: string; reason: string }): LeftOutWorkload[] {
  const workload = workloads.find((one) => one.name === name);
  return workload ? [{ workload, reason }] : [];
}
