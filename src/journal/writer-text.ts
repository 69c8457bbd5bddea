/**
 * The program of the thread that writes a journal, as text, for a program in which a bundler merged all files. The build puts
 * it here; in src/ it stays empty, since the thread runs writer.ts.
 */
export const writerText: string = '';
