/**
 * Files of directives with their expected output: `#` comments, a line `command argument key=value key=(a,b)`, input
 * lines, `----`, and the output up to a blank line. An output that holds blank lines stands between doubled `----`.
 */

/** An argument: a bare word has no values. */
export interface DirectiveArgument {
  readonly key: string;
  readonly values: readonly string[];
}

/** One directive of a file. */
export interface Directive {
  /** From 1. */
  readonly line: number;
  readonly command: string;
  readonly arguments: readonly DirectiveArgument[];
  readonly input: string;
  readonly expected: string;
}

/** Reads a file's directives. Throws where a line cannot be read. */
export function parseDirectives(text: string): Directive[] {
  const lines = text.split('\n');
  const directives: Directive[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = (lines[at] as string).trim();
    if (line === '' || line.startsWith('#')) {
      at++;
      continue;
    }
    const begin = at;
    let head = line;
    while (head.endsWith('\\')) head = `${head.slice(0, -1)} ${(lines[++at] ?? '').trim()}`;
    at++;
    const input: string[] = [];
    while (at < lines.length && lines[at] !== '----') input.push(lines[at++] as string);
    if (at === lines.length) throw new Error(`line ${begin + 1}: '${head}' has no '----'`);
    at++;
    const { output, next } = readOutput(lines, at);
    at = next;
    const [command = '', ...words] = splitWords(head);
    directives.push({
      line: begin + 1,
      command,
      arguments: words.map(parseArgument),
      input: input.join('\n'),
      expected: output,
    });
  }
  return directives;
}

function readOutput(lines: readonly string[], from: number): { output: string; next: number } {
  const isDoubled = lines[from] === '----';
  const output: string[] = [];
  let at = isDoubled ? from + 1 : from;
  for (; at < lines.length; at++) {
    if (isDoubled ? lines[at] === '----' && lines[at + 1] === '----' : lines[at] === '') break;
    output.push(lines[at] as string);
  }
  return { output: output.map((line) => `${line}\n`).join(''), next: isDoubled ? at + 2 : at };
}

/** Words apart, but what is in brackets together. */
function splitWords(line: string): string[] {
  return line.match(/[^\s=()]+=\([^)]*\)|[^\s]+/g) ?? [];
}

function parseArgument(word: string): DirectiveArgument {
  const equals = word.indexOf('=');
  if (equals === -1) return { key: word, values: [] };
  const value = word.slice(equals + 1);
  const inner = value.startsWith('(') && value.endsWith(')') ? value.slice(1, -1) : undefined;
  const values = inner === undefined ? [value] : inner.split(',').map((one) => one.trim());
  return { key: word.slice(0, equals), values: values.filter((one) => one !== '') };
}

/** A whole number from a directive. Throws where it is none. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value)) throw new Error(`'${text}' is not a whole number`);
  return value;
}
