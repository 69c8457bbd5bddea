/** The version of this package. */
import packageJson from '../../package.json' with { type: 'json' };

/** As in package.json. The import makes it part of the bundle, so that a compiled executable has it as well. */
export const version: string = packageJson.version;
