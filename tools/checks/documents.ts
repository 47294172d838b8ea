/** The docs gate: what must exist does, links lead somewhere, packages show the same face. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { type Finding, lineAt, type SourceFile } from './source-files.js';

const requiredDocuments = [
  'README.md',
  'LICENSE',
  'CONTRIBUTING.md',
  'docs/ARCHITECTURE.md',
  'docs/GLOSSARY.md',
  'docs/GUARANTEES.md',
  'docs/GETTING_STARTED.md',
  'docs/PERFORMANCE.md',
  'docs/VERIFICATION.md',
  'docs/formats/wal.md',
  'docs/formats/bitcask.md',
];

/** The headings a published package's README has, in any order. */
const readmeHeadings = ['Install', 'Example', 'Options', 'Errors', 'Guarantees', 'Limits'];

const adrHeadings = ['Context', 'Options', 'Measurements', 'Choice'];

/** Missing documents and README parts. */
export function checkRequiredDocuments(root: string): Finding[] {
  return requiredDocuments
    .filter((path) => !existsSync(join(root, path)))
    .map((path) => ({ path, line: 1, message: 'is missing' }));
}

/** Every package has a README with the common headings; every decision record has its four parts. */
export function checkHeadings(root: string, files: readonly SourceFile[]): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const findings: Finding[] = [];
  for (const name of readdirSync(join(root, 'packages'))) {
    const path = `packages/${name}/README.md`;
    const readme = byPath.get(path);
    if (readme === undefined) findings.push({ path, line: 1, message: 'is missing' });
    else findings.push(...missingHeadings(readme, readmeHeadings));
  }
  for (const file of files) {
    if (/^docs\/adr\/\d{4}-.*\.md$/.test(file.path)) findings.push(...missingHeadings(file, adrHeadings));
  }
  return findings;
}

function missingHeadings(file: SourceFile, wanted: readonly string[]): Finding[] {
  const headings = [...file.text.matchAll(/^#{1,4}\s+(.+?)\s*$/gm)].map((match) => (match[1] ?? '').toLowerCase());
  return wanted
    .filter((heading) => !headings.some((present) => present.includes(heading.toLowerCase())))
    .map((heading) => ({ path: file.path, line: 1, message: `has no heading '${heading}'` }));
}

/** Relative links in Markdown lead to files that exist. */
export function checkLinks(root: string, file: SourceFile): Finding[] {
  if (!file.path.endsWith('.md')) return [];
  const prose = file.text.replace(/```[\s\S]*?```|`[^`\n]*`/g, (match) => match.replace(/[^\n]/g, ' '));
  const findings: Finding[] = [];
  for (const match of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    const target = (match[1] ?? '').replace(/#.*$/, '');
    if (target === '' || /^[a-z]+:/.test(target)) continue;
    if (!existsSync(normalize(join(root, dirname(file.path), target)))) {
      findings.push({
        path: file.path,
        line: lineAt(file.text, match.index),
        message: `link to '${target}' leads nowhere`,
      });
    }
  }
  return findings;
}
