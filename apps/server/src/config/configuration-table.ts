import { shownDefault } from './command-line.js';
import { flagName, variableName } from './config-option.js';
import { optionEntries } from './config-options.js';

/** The tables of options in docs/CONFIGURATION.md, in Markdown. */
export function configurationTables(): string {
  const groups = [...new Set(optionEntries.map(([, { group }]) => group))];
  return groups.map(tableOf).join('\n');
}

function tableOf(group: string): string {
  const rows = optionEntries
    .filter(([, option]) => option.group === group)
    .map(([key, option]) => {
      const { description, allowed } = option;
      const names = `\`--${flagName(key)}\` | \`${variableName(key)}\``;
      return `| ${names} | ${shownDefault(option)} | ${allowed} | ${description} |`;
    });
  const head = '| flag, file key without dashes | environment | default | allowed | meaning |\n|---|---|---|---|---|';
  return `### ${group}\n${head}\n${rows.join('\n')}\n`;
}
