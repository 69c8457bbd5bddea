/**
 * The client for browsers: `import { connect } from 'yodel/browser'`. It imports no module of Node.
 *
 * @module
 */
export { type ErrorCode, errorCodes, YodelError } from '../errors.ts';
