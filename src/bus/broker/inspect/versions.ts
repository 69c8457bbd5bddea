/** Versions of programs: `2.9.10`, `7.0.15`, `2.12.0-beta.1`. */

/** Whether a version is older. One that cannot be read is not. */
export function isBefore(version: string, [major, minor, patch]: readonly [number, number, number]): boolean {
  const [, ...parts] = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  if (parts.length === 0) return false;
  const [a = 0, b = 0, c = 0] = parts.map((part) => Number(part ?? 0));
  return a !== major ? a < major : b !== minor ? b < minor : c < patch;
}
