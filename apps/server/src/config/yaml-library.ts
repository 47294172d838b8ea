import { createRequire } from 'node:module';

/** The library for YAML, loaded when it is first asked for: most starts have no configuration file. */
export function yaml(): typeof import('yaml') {
  return createRequire(import.meta.url)('yaml') as typeof import('yaml');
}
