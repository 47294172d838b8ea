import { ConfigurationCommands } from './configuration-commands.js';
import { type Directive, parseDirectives } from './datadriven-file.js';
import { InteractionCommands } from './interaction-commands.js';
import { runQuorumDirective } from './quorum-commands.js';

/** What kind of file it is, by the folder it lies in. */
export type FileKind = 'quorum' | 'confchange' | 'interaction';

/** What a directive printed that it should not have. */
export interface Difference {
  readonly directive: Directive;
  readonly printed: string;
}

/** Runs a file to its end or its first difference. `isStrict`: log lines count. Throws for directives nobody knows. */
export function runFile(
  kind: FileKind,
  text: string,
  isStrict: boolean,
): { directives: number; difference?: Difference } {
  const run = runnerOf(kind);
  let count = 0;
  for (const directive of parseDirectives(text)) {
    count++;
    const printed = run(directive);
    const wanted = isStrict ? directive.expected : withoutLog(directive.expected);
    if ((isStrict ? printed : withoutLog(printed)) !== wanted)
      return { directives: count, difference: { directive, printed } };
  }
  return { directives: count };
}

function runnerOf(kind: FileKind): (directive: Directive) => string {
  if (kind === 'quorum') return runQuorumDirective;
  const commands = kind === 'confchange' ? new ConfigurationCommands() : new InteractionCommands();
  return (directive) => commands.run(directive);
}

/** A directive that printed nothing but log lines prints `ok` without them. */
function withoutLog(output: string): string {
  const lines = output.split('\n').filter((line) => !/^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /.test(line));
  const text = lines.join('\n');
  return text === 'ok\n' ? '' : text;
}
