import { CodedError } from '@shanghai/env';

/** `INVALID_CONFIG`: some values are not allowed or names unknown. `CONFIG_FILE`: the file cannot be read or parsed. */
export type ConfigErrorCode = 'CONFIG_FILE' | 'INVALID_CONFIG';

/** Why the configuration was refused; the message has one line for every problem. */
export class ConfigError extends CodedError<ConfigErrorCode> {
  constructor(code: ConfigErrorCode, problems: readonly string[], cause?: unknown) {
    super(code, problems.join('\n'), { details: { problems }, ...(cause === undefined ? {} : { cause }) });
  }
}
