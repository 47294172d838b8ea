import { type CommandLine, parseCommandLine } from './command-line.js';
import { readConfigFile } from './config-file.js';
import { configAsJson, configAsYaml } from './print-config.js';
import { type ResolvedConfig, resolveConfig } from './resolve-config.js';

/** What the program shall do. */
export type Intention =
  | { readonly type: 'print'; readonly text: string }
  | { readonly type: 'serve'; readonly resolved: ResolvedConfig };

/** From arguments and environment to the configuration. Throws `ConfigError`. */
export function loadConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  version: string,
): Intention {
  const line: CommandLine = parseCommandLine(args, version);
  if (line.type === 'text') return { type: 'print', text: line.text };
  const path = line.file ?? environment['SHANGHAI_CONFIG'];
  const file = path === undefined || path === '' ? undefined : readConfigFile(path);
  const resolved = resolveConfig({ flags: line.flags, environment, ...(file === undefined ? {} : { file }) });
  if (line.print === undefined) return { type: 'serve', resolved };
  return { type: 'print', text: line.print === 'json' ? configAsJson(resolved) : configAsYaml(resolved) };
}
