/**
 * The client for browsers: `import { connect } from 'yodel/browser'`. It imports no module of Node.
 *
 * @module
 */
export { type ErrorCode, errorCodes, type OwnErrorCode, YodelError, type YodelErrorOptions } from '../errors.ts';
