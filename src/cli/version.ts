/** The version of this package. */
import { readFileSync } from 'node:fs';

/** As in package.json, which stands two folders up both in src/ and in dist/. */
export const version: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
