/**
 * What programs test their own framings with: `import { checkFraming } from 'yodel/testing'`. It needs no test framework.
 *
 * @module
 */
export { type CheckFramingOptions, checkFraming, FramingCheckError } from './check-framing.ts';
export { type DecodeAllOptions, type Decoded, decodeAll } from './decode-all.ts';
export type { TriedMessage } from './trial.ts';
