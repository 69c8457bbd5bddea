/**
 * The program of the watchdog's thread, as text, which starts faster than a file and needs none in an executable. The build
 * fills it in. In src/ it is empty, because there the thread runs watchdog-thread.ts.
 */
export const watchdogText: string = '';
