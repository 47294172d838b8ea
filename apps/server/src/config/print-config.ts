import { flagName } from './config-option.js';
import { optionEntries } from './config-options.js';
import { type ResolvedConfig, sourceText } from './resolve-config.js';
import { yaml } from './yaml-library.js';

/** The effective configuration as YAML that can be used as a file, each line with where its value came from. */
export function configAsYaml({ config, sources }: ResolvedConfig): string {
  const lines = optionEntries.map(([key]) => {
    const line = yaml()
      .stringify({ [flagName(key)]: config[key] })
      .trimEnd();
    return `${line.padEnd(40)} # ${sourceText(sources[key])}`;
  });
  return `${lines.join('\n')}\n`;
}

/** The same as JSON: `{"http-port": {"value": 8080, "source": "default"}, …}`. */
export function configAsJson({ config, sources }: ResolvedConfig): string {
  const entries = optionEntries.map(([key]) => [
    flagName(key),
    { value: config[key], source: sourceText(sources[key]) },
  ]);
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}
