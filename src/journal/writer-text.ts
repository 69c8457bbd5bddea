/**
 * The program of the journal's writer thread, as text, for programs in which a bundler merged all files. The build fills it
 * in. In src/ it is empty, because there the thread runs writer.ts.
 */
export const writerText: string = '';
