/**
 * Completion scripts. bash and zsh share one way: walk the words before the cursor down the tree of commands, then
 * offer what may follow there; where an option's value or an argument is free, files are offered. fish has conditions.
 */
import { allCommands, type CommandNode, type OptionNode } from './command-tree.js';

/** Shells that are served. */
export const completionShells = ['bash', 'zsh', 'fish'] as const;

/** One of `completionShells`. */
export type CompletionShell = (typeof completionShells)[number];

/** The script of a shell, to be evaluated or put where the shell looks for completions. */
export function completionScript(shell: CompletionShell, tree: CommandNode): string {
  switch (shell) {
    case 'bash':
      return bashScript(tree);
    case 'zsh':
      return zshScript(tree);
    case 'fish':
      return fishScript(tree);
  }
}

function bashScript(tree: CommandNode): string {
  return `# shanghaictl completion for bash: eval "$(shanghaictl completion bash)"
_shanghaictl() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path='' words='' index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$path/\${COMP_WORDS[index]}" in
      ${pathPattern(tree)}) path="$path/\${COMP_WORDS[index]}" ;;
    esac
  done
  case "$previous" in
${valueCases(tree, (values) => `COMPREPLY=($(compgen -W '${values}' -- "$current")); return`, '    ')}
  esac
  case "$path" in
${pathCases(tree, '    ')}
  esac
  if [[ -z $current && $words == *' '* && $words != -* ]] || [[ -n $current ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}
complete -o default -F _shanghaictl shanghaictl
`;
}

function zshScript(tree: CommandNode): string {
  return `#compdef shanghaictl
# shanghaictl completion for zsh: eval "$(shanghaictl completion zsh)", or a file _shanghaictl in $fpath
_shanghaictl() {
  local current="\${words[CURRENT]}" previous="\${words[CURRENT-1]}" path_='' offered='' index
  for ((index = 2; index < CURRENT; index++)); do
    case "$path_/\${words[index]}" in
      ${pathPattern(tree)}) path_="$path_/\${words[index]}" ;;
    esac
  done
  case "$previous" in
${valueCases(tree, (values) => `compadd -- ${values}; return`, '    ')}
  esac
  case "$path_" in
${pathCases(tree, '    ').replaceAll('words=', 'offered=')}
  esac
  compadd -- \${(z)offered}
  [[ $current == -* ]] || _files
}
if [[ -n $funcstack && $funcstack[1] == _shanghaictl ]]; then
  _shanghaictl "$@"
else
  compdef _shanghaictl shanghaictl
fi
`;
}

function fishScript(tree: CommandNode): string {
  const lines = ['# shanghaictl completion for fish: shanghaictl completion fish | source'];
  for (const node of allCommands(tree)) {
    const condition = fishCondition(node);
    for (const child of node.children) {
      lines.push(`complete -c shanghaictl -f ${condition} -a ${child.path.at(-1)} -d ${quote(child.description)}`);
    }
    // The program's own options hold behind every command.
    const where = node.path.length === 0 ? '' : ` ${condition}`;
    for (const option of node.options) lines.push(`complete -c shanghaictl${where}${fishOption(option)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** A command is offered where its family was given and none of its siblings. */
function fishCondition({ path, children }: CommandNode): string {
  if (path.length === 0) return `-n '__fish_use_subcommand'`;
  const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`).join('; and ');
  const names = children.map((child) => child.path.at(-1)).join(' ');
  return `-n '${seen}${names === '' ? '' : `; and not __fish_seen_subcommand_from ${names}`}'`;
}

function fishOption({ names, description, takesValue, values }: OptionNode): string {
  const flags = names.map((name) => (name.startsWith('--') ? ` -l ${name.slice(2)}` : ` -s ${name.slice(1)}`)).join('');
  const choice = values.length === 0 ? '' : ` -x -a '${values.join(' ')}'`;
  return `${flags}${takesValue && choice === '' ? ' -r' : choice} -d ${quote(description)}`;
}

function pathPattern(tree: CommandNode): string {
  return allCommands(tree)
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => `/${path.join('/')}`)
    .join(' | ');
}

function pathCases(tree: CommandNode, indent: string): string {
  const globals = tree.options.flatMap(({ names }) => names);
  return allCommands(tree)
    .map(({ path, children, options }) => {
      const own = options.flatMap(({ names }) => names);
      const words = [...children.map((child) => child.path.at(-1)), ...own, ...(path.length === 0 ? [] : globals)];
      return `${indent}${path.length === 0 ? "''" : `/${path.join('/')}`}) words='${[...new Set(words)].join(' ')}' ;;`;
    })
    .join('\n');
}

/** What follows an option: its values, or nothing of ours (the shell offers files). */
function valueCases(tree: CommandNode, offer: (values: string) => string, indent: string): string {
  const byName = new Map<string, OptionNode>();
  for (const { options } of allCommands(tree)) {
    for (const option of options) if (option.takesValue) for (const name of option.names) byName.set(name, option);
  }
  const free = [...byName].filter(([, option]) => option.values.length === 0).map(([name]) => name);
  const chosen = [...byName]
    .filter(([, option]) => option.values.length > 0)
    .map(([name, option]) => `${indent}${name}) ${offer(option.values.join(' '))} ;;`);
  return [...chosen, `${indent}${free.join(' | ')}) return ;;`].join('\n');
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
