/** The library's export `transcript`. */
export { type CheckOptions, type CheckResult, check, type Difference } from './check.ts';
export { type MockServer, mockServer } from './mock/mock.ts';
export type { MockOptions } from './mock/options.ts';
export type { MockProblem, MockVerdict } from './mock/verdict.ts';
export { type ParseOptions, parseTranscript as parse } from './parse.ts';
export type { RecordedClient } from './record/client.ts';
export { Recording, type RecordingOptions } from './record/recording.ts';
export { type Side, type Step, type Transcript, TranscriptError } from './transcript.ts';
export { updatedText } from './update.ts';
