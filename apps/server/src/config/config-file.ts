import { readFileSync } from 'node:fs';
import { ConfigError } from './config-error.js';
import { yaml } from './yaml-library.js';

/** Reads a configuration file, YAML or JSON. Throws `ConfigError` `CONFIG_FILE` where it cannot be read or is no mapping. */
export function readConfigFile(path: string): { readonly path: string; readonly values: Record<string, unknown> } {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(
      'CONFIG_FILE',
      [`configuration file '${path}' cannot be read: ${(error as Error).message}`],
      error,
    );
  }
  let values: unknown;
  try {
    values = yaml().parse(text) ?? {};
  } catch (error) {
    throw new ConfigError(
      'CONFIG_FILE',
      [`configuration file '${path}' is not YAML or JSON: ${(error as Error).message}`],
      error,
    );
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new ConfigError('CONFIG_FILE', [
      `configuration file '${path}' must hold a mapping of option names to values`,
    ]);
  }
  return { path, values: values as Record<string, unknown> };
}
