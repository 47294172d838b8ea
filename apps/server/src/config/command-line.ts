/** The command line of the server, made from the table of options. */
import { Command, CommanderError, Option } from 'commander';
import { ConfigError } from './config-error.js';
import { type ConfigOption, flagName, shownBytes, variableName } from './config-option.js';
import { type ConfigKey, optionEntries } from './config-options.js';

/** What a command line asks for. */
export type CommandLine =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'run';
      readonly flags: Readonly<Partial<Record<ConfigKey, string>>>;
      /** From `--config`. */
      readonly file: string | undefined;
      readonly print: 'yaml' | 'json' | undefined;
    };

const examples = `
Examples:
  $ shanghai                                   one node on 127.0.0.1, data in ./shanghai-data
  $ shanghai --data-dir /var/lib/shanghai --http-port 8000
  $ SHANGHAI_LOG_FORMAT=pretty shanghai --config shanghai.yaml
  $ shanghai --print-config json               what would hold, and where each value came from
  $ shanghai cluster --nodes 3                 a cluster on this machine; shanghai cluster --help
  $ shanghai recover --data-dir <directory>    after a lost quorum; shanghai recover --help

Exit codes:
  0  stopped when told to     1  failed while running     2  wrong flag, variable or file
  3  a port cannot be had     4  the data directory is locked
  5  it is unreadable, full, damaged or another node's     6  it was written by a newer version
`;

/** Parses arguments (without `node` and the script). Throws `ConfigError` where a flag is unknown or lacks its value. */
export function parseCommandLine(args: readonly string[], version: string): CommandLine {
  const written: string[] = [];
  const command = buildCommand(version, (text) => void written.push(text));
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { type: 'text', text: written.join('') };
    throw new ConfigError('INVALID_CONFIG', [`${inOneLine(error.message)} --help lists all flags`]);
  }
  const { config, printConfig, ...flags } = command.opts<Record<string, string | boolean>>();
  return {
    type: 'run',
    flags: Object.fromEntries(Object.entries(flags).map(([key, value]) => [key, String(value)])),
    file: config === undefined ? undefined : String(config),
    print: printConfig === undefined ? undefined : printConfig === 'json' ? 'json' : 'yaml',
  };
}

/** The parser's message as ours: it puts its guess on a line of its own, `(Did you mean --x?)`. */
function inOneLine(message: string): string {
  const [problem = '', guess] = message.replace(/^error: /, '').split('\n');
  return guess === undefined ? `${problem};` : `${problem}; ${guess.replace(/^\(Did/, 'did').replace(/\)$/, '')}`;
}

function buildCommand(version: string, write: (text: string) => void): Command {
  const command = new Command('shanghai')
    .description('A durable key-value store and log, over gRPC and HTTP.')
    .usage('[cluster|recover] [flags]')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: () => {}, getOutHelpWidth: () => 110 })
    .addHelpText('after', examples);
  command.addOption(new Option('--config <file>', 'options from a YAML or JSON file'));
  command.addOption(
    new Option('--print-config [format]', 'print the effective configuration and end').choices(['yaml', 'json']),
  );
  let group = '';
  for (const [key, option] of optionEntries) {
    if (option.group !== group) command.optionsGroup(`${option.group}:`);
    group = option.group;
    command.addOption(new Option(`--${flagName(key)} ${placeholder(option)}`, helpText(key, option)));
  }
  return command;
}

function placeholder({ kind }: ConfigOption<unknown>): string {
  switch (kind) {
    case 'boolean':
      return '[true|false]';
    case 'bytes':
      return '<bytes>';
    case 'integer':
    case 'number':
      return '<number>';
    case 'text':
      return '<text>';
  }
}

function helpText(key: ConfigKey, option: ConfigOption<unknown>): string {
  return `${option.description} [${shownDefault(option)}; ${variableName(key)}]`;
}

/** A default as people read it. */
export function shownDefault({ kind, default: value }: ConfigOption<unknown>): string {
  if (kind === 'bytes') return shownBytes(value as number);
  return value === '' ? 'empty' : String(value);
}
