/** The program's commands and options as plain data: what the completion scripts are made from. */
import type { Command } from 'commander';

/** A command with what may follow it. */
export interface CommandNode {
  /** Names from the program down, without the program: `['kv', 'get']`; empty for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  readonly children: readonly CommandNode[];
  /** Its own options, and for the program the global ones. */
  readonly options: readonly OptionNode[];
}

/** An option. */
export interface OptionNode {
  /** `-o`, `--output`. */
  readonly names: readonly string[];
  readonly description: string;
  /** Whether a value follows. */
  readonly takesValue: boolean;
  /** The values it may have, where they are few. */
  readonly values: readonly string[];
}

/** Options with few values, by their long name. */
const optionValues: Readonly<Record<string, readonly string[]>> = {
  '--output': ['table', 'json', 'yaml'],
  '--encoding': ['text', 'base64', 'hex'],
  '--format': ['json', 'jsonl', 'csv'],
  '--mode': ['quorum', 'multi-master'],
  '--acknowledgement': ['local', 'quorum', 'all'],
  '--cleanup-policy': ['delete', 'compact'],
};

/** Reads the tree of a program. Hidden commands are left out. */
export function commandTree(command: Command, path: readonly string[] = []): CommandNode {
  return {
    path,
    description: command.description(),
    children: command
      .createHelp()
      .visibleCommands(command)
      .map((child) => commandTree(child, [...path, child.name()])),
    options: command
      .createHelp()
      .visibleOptions(command)
      .map((option) => ({
        names: [option.short, option.long].filter((name) => name !== undefined),
        description: option.description,
        takesValue: option.required || option.optional,
        values: optionValues[option.long ?? ''] ?? [],
      })),
  };
}

/** Every command of the tree, the program first. */
export function allCommands(node: CommandNode): CommandNode[] {
  return [node, ...node.children.flatMap(allCommands)];
}
