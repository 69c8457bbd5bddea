/** What `yodel serve` needs for transcripts. Loaded only when it serves one. */
export { mockServer } from '../../../transcript/mock.ts';
export { parseTranscript } from '../../../transcript/parse.ts';
