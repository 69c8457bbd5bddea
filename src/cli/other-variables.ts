/** Environment variables without a flag: everyone on a machine can read the flags of its processes. */

/** The variable with the token of the control API. */
export const controlTokenVariable = 'YODEL_CONTROL_TOKEN';

/** All of them, with their meaning, for the help. */
export const otherVariables: readonly (readonly [name: string, meaning: string])[] = [
  [controlTokenVariable, 'the token of yodel serve --control (default: a new one, which is printed)'],
];
