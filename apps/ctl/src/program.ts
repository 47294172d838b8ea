/** The tree of commands with their help. Only light modules are loaded here: a command loads what it needs when it runs. */
import { Command } from 'commander';
import type { Host } from './command-host.js';
import { addBenchCommand } from './commands/bench.js';
import { addBitcaskCommands } from './commands/bitcask.js';
import { addClusterCommands } from './commands/cluster.js';
import { addCompletionCommand } from './commands/completion.js';
import { addDoctorCommand } from './commands/doctor.js';
import { addGroupCommands } from './commands/groups.js';
import { addKeyspaceCommands } from './commands/keyspace.js';
import { addKeyValueCommands } from './commands/kv.js';
import { addLogCommands } from './commands/log.js';
import { addNodeCommands } from './commands/node.js';
import { addReplicationCommands } from './commands/replication.js';
import { addShellCommand } from './commands/shell.js';
import { addSnapshotCommands } from './commands/snapshot.js';
import { addStatusCommand } from './commands/status.js';
import { addWalCommands } from './commands/wal.js';
import { exitCodesHelp } from './exit-codes.js';
import { encodings, outputForms } from './settings.js';

/** Builds the program anew: commander keeps state between parses. `json`: errors will be told as JSON, so no help on stderr. */
export function buildProgram(host: Host, json = false): Command {
  const program = new Command('shanghaictl')
    .description('Operate a Shanghai node: keys and values, logs, status, offline inspection and repair.')
    .version(host.version, '-V, --version', 'print the version of this tool')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.terminal.stdout.write(text),
      // What is wrong is told by who runs the program, as every other error; what remains is help where a command is missing.
      outputError: () => undefined,
      writeErr: (text) => (json ? undefined : host.terminal.stderr.write(text)),
      getOutHelpWidth: () => host.terminal.stdout.columns ?? 100,
      getErrHelpWidth: () => host.terminal.stderr.columns ?? 100,
    })
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .helpCommand('help [command]', 'show help of a command');
  addGlobalOptions(program);
  addStatusCommand(program, host);
  addClusterCommands(program, host);
  addGroupCommands(program, host);
  addReplicationCommands(program, host);
  addNodeCommands(program, host);
  addDoctorCommand(program, host);
  addKeyspaceCommands(program, host);
  addKeyValueCommands(program, host);
  addLogCommands(program, host);
  addSnapshotCommands(program, host);
  addWalCommands(program, host);
  addBitcaskCommands(program, host);
  addBenchCommand(program, host);
  addShellCommand(program, host);
  addCompletionCommand(program, host);
  return program.addHelpText('after', rootHelp);
}

function addGlobalOptions(program: Command): void {
  const collect = (value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value];
  program
    .option(
      '-e, --endpoint <host:port>',
      'gRPC address of a node; repeat for several (default 127.0.0.1:9090)',
      collect,
    )
    .option('--timeout-ms <ms>', 'deadline of each request (default 5000)')
    .option('--keyspace <name>', 'set of keys to work on (default: the unnamed one)')
    .option('-o, --output <form>', `form of the output: ${outputForms.join(', ')} (default table)`)
    .option('--encoding <form>', `how keys and values are written and shown: ${encodings.join(', ')} (default text)`)
    .option('--profile <name>', 'profile of the profile file')
    .option('--config <file>', 'profile file (default ~/.config/shanghai/ctl.yaml)')
    .option('-q, --quiet', 'no notes and no progress on stderr')
    .option('--no-color', 'no colours')
    .option('-y, --yes', 'answer every confirmation with yes');
}

const rootHelp = `
Examples:
  $ shanghaictl status
  $ shanghaictl kv put greeting 'hello world'
  $ shanghaictl kv get greeting
  $ shanghaictl kv range --prefix user: --limit 20 --output json
  $ shanghaictl kv import cities.json --key-template '{country}:{name}'
  $ shanghaictl log tail events --from-end
  $ shanghaictl shell

Environment (flags win over it, it wins over the profile):
  SHANGHAI_ENDPOINT      host:port, several separated by commas
  SHANGHAI_TIMEOUT_MS    as --timeout-ms
  SHANGHAI_KEYSPACE      as --keyspace
  SHANGHAI_OUTPUT        as --output
  SHANGHAI_ENCODING      as --encoding
  SHANGHAI_PROFILE       as --profile
  SHANGHAI_CTL_CONFIG    as --config
  SHANGHAI_HISTORY_FILE  history of the shell (default ~/.local/state/shanghai/history)
  NO_COLOR               no colours, whatever its value
  SHANGHAI_DEBUG         show the stack of an error

${exitCodesHelp}`;
