/** House style that a program can see: names and sizes of files, contract comments on exports, words we do not use. */
import { type Finding, lineAt, type SourceFile } from './source-files.js';

/** A source file may have so many lines. */
export const maxFileLines = 500;

const bannedNames = new Set(['utils', 'util', 'common', 'helpers', 'helper', 'misc', 'types', 'constants', 'shared']);

/** Kebab-case, not a drawer of odds and ends, not too long. */
export function checkFileShape(file: SourceFile): Finding[] {
  const name = /([^/]+?)(?:\.test|\.config)?\.(?:ts|mjs)$/.exec(file.path)?.[1];
  if (name === undefined || file.path.includes('/src/gen/')) return [];
  const findings: Finding[] = [];
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)) findings.push(at(file, `file name '${name}' is not kebab-case`));
  if (bannedNames.has(name)) findings.push(at(file, `'${name}' says nothing; name the file after its main export`));
  const lines = file.text.split('\n').length - 1;
  if (lines > maxFileLines && !/\.test\.ts$/.test(file.path)) {
    findings.push(at(file, `${lines} lines; at most ${maxFileLines}: split it by concept`));
  }
  return findings;
}

/** Every exported declaration of a package, app or tool carries a contract comment. */
export function checkContractComments(file: SourceFile): Finding[] {
  if (!/^(?:packages|apps|proto|tools)\/.*\.ts$/.test(file.path)) return [];
  if (/\.test\.ts$|\/src\/gen\/|\/test\/|\/bench\/.*bench\.ts$/.test(file.path)) return [];
  const lines = file.text.split('\n');
  const findings: Finding[] = [];
  const seen = new Set<string>();
  lines.forEach((line, index) => {
    const match =
      /^export (?:default |declare |abstract |async )*(?:class|function\*?|interface|type|const|let) ([A-Za-z_$][\w$]*)/.exec(
        line,
      );
    const name = match?.[1];
    if (name === undefined || seen.has(name)) return;
    seen.add(name);
    if (!/\*\/\s*$/.test(lines[index - 1] ?? '')) {
      findings.push({ path: file.path, line: index + 1, message: `'${name}' is exported without a contract comment` });
    }
  });
  return findings;
}

/** What no committed file may hold: paths of somebody's machine, registry hosts, marks of unfinished work. */
const bannedText: readonly {
  readonly pattern: RegExp;
  readonly why: string;
  readonly only?: RegExp;
  readonly not?: RegExp;
}[] = [
  { pattern: /(?<![\w.])\/(?:root|work|home\/[a-z]+|Users\/[A-Za-z]+)\//g, why: "a path of somebody's machine" },
  {
    pattern: /https?:\/\/(?:registry\.|[\w.-]*npmjs\.(?:org|com)\/[\w@])/g,
    why: 'a registry host',
    only: /pnpm-lock\.yaml$/,
  },
  {
    pattern: /\b(?:TODO|FIXME|XXX)\b/g,
    why: 'a mark of unfinished work; do it, or plan it in an ADR',
    only: /\.(?:ts|mjs|proto)$/,
  },
  {
    pattern: /@ts-(?:ignore|nocheck)|\bas any\b|: any\b/g,
    why: 'a hole in the types',
    only: /\.ts$/,
    not: /\/src\/gen\//,
  },
  { pattern: /\b(?:describe|it|test)\.(?:only|skip|todo)\(/g, why: 'a test that does not run', only: /\.ts$/ },
];

/** Finds banned text in any tracked text file but the rules themselves. */
export function checkWords(file: SourceFile): Finding[] {
  if (file.path.startsWith('tools/checks/')) return [];
  const findings: Finding[] = [];
  for (const { pattern, why, only, not } of bannedText) {
    if ((only !== undefined && !only.test(file.path)) || not?.test(file.path)) continue;
    for (const match of file.text.matchAll(pattern)) {
      findings.push({ path: file.path, line: lineAt(file.text, match.index), message: `'${match[0]}' is ${why}` });
    }
  }
  return findings;
}

function at(file: SourceFile, message: string): Finding {
  return { path: file.path, line: 1, message };
}
