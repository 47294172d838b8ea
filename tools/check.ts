/** `tsx tools/check.ts`: every rule of the house that a program can see. Exit code 1 where one is broken. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkArchitecture } from './checks/architecture.js';
import { checkDecoders, type DecoderRegister, decodersPath } from './checks/decoders.js';
import { checkHeadings, checkLinks, checkRequiredDocuments } from './checks/documents.js';
import { checkContractComments, checkFileShape, checkWords } from './checks/house-style.js';
import { checkMutations } from './checks/mutations.js';
import { type Finding, listFiles } from './checks/source-files.js';
import { allMutations } from './mutations/all-mutations.js';

/** Findings that are allowed for now: `path: message` lines. The list only shrinks: a line that is not needed fails. */
interface Exceptions {
  readonly allowed: readonly string[];
}

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const files = listFiles(root, /\.(?:ts|mjs|md|json|yaml|proto|sh)$|^\.ci\/run$/);
const findings: Finding[] = [...checkRequiredDocuments(root), ...checkHeadings(root, files)];
for (const file of files) {
  findings.push(...checkArchitecture(file), ...checkFileShape(file), ...checkContractComments(file));
  findings.push(...checkWords(file), ...checkLinks(root, file));
}

const register = JSON.parse(readFileSync(`${root}/${decodersPath}`, 'utf8')) as DecoderRegister;
findings.push(...checkDecoders(files, register), ...checkMutations(files, allMutations));

const { allowed } = JSON.parse(readFileSync(`${root}/tools/checks/exceptions.json`, 'utf8')) as Exceptions;
const texts = new Set(findings.map((finding) => `${finding.path}: ${finding.message}`));
const broken = findings.filter((finding) => !allowed.includes(`${finding.path}: ${finding.message}`));
const stale = allowed.filter((line) => !texts.has(line));
for (const { path, line, message } of broken) console.error(`${path}:${line}: ${message}`);
for (const line of stale) console.error(`tools/checks/exceptions.json: no longer needed, take it out: ${line}`);
console.log(`${files.length} files checked, ${broken.length + stale.length} findings, ${allowed.length} exceptions`);
process.exitCode = broken.length + stale.length > 0 ? 1 : 0;
