/** What `yodel serve` needs for transcripts. Loaded only when it serves one. */
export { refuseWithoutConversation } from '../../../transcript/expectations.ts';
export { mockServer, needsCertificate } from '../../../transcript/mock/mock.ts';
export { readTranscript } from '../../transcript-file.ts';
export { checkVariables } from '../../unknown-variables.ts';
