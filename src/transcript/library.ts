/** The library's export `transcript`. */
export { type CheckOptions, type CheckResult, check, type Difference } from './check.ts';
export { type MockOptions, mockServer } from './mock.ts';
export { type ParseOptions, parseTranscript as parse } from './parse.ts';
export type { RecordedClient } from './record/client.ts';
export { Recording, type RecordingOptions } from './record/recording.ts';
export { type Side, type Step, type Transcript, TranscriptError } from './transcript.ts';
export { updatedText } from './update.ts';
