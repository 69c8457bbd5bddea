/**
 * The program of the thread that writes a journal, as text, for programs in which a bundler merged all files. The build
 * fills it in. In src/ it is empty, because the thread runs writer.ts.
 */
export const writerText: string = '';
