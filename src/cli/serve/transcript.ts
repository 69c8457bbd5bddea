/** What `yodel serve` needs of transcripts, loaded only when one is served. */
export { mockServer } from '../../transcript/mock.ts';
export { parseTranscript } from '../../transcript/parse.ts';
