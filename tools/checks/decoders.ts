/**
 * Every exported decoder is fuzzed: `tools/fuzz/decoders.json` names the target that reaches it, or says why it decodes
 * nothing that others wrote. A new one that is not there fails, and so does an entry without its function.
 */
import { codeOnly, type Finding, lineAt, type SourceFile } from './source-files.js';

/** Where it is written down. */
export const decodersPath = 'tools/fuzz/decoders.json';

/** The register of decoders. Keys are `path#function`. */
export interface DecoderRegister {
  /** The target, by name, under whose inputs the function comes. */
  readonly fuzzed: Readonly<Record<string, string>>;
  /** Functions that are named alike and decode nothing foreign, each with the reason. */
  readonly other: Readonly<Record<string, string>>;
}

const named = /^export (?:async )?function\*? ?((?:(?:decode|parse|read|unpack)(?![a-z])|unsnappy)\w*)/gm;

/** Decoders without an entry, and entries without a decoder. */
export function checkDecoders(files: readonly SourceFile[], register: DecoderRegister): Finding[] {
  const findings: Finding[] = [];
  const found = new Set<string>();
  for (const file of files) {
    if (!/^(?:packages\/[^/]+|apps\/server|apps\/ctl|proto)\/src\/.*\.ts$/.test(file.path)) continue;
    if (/\.test\.ts$|\/testing\/|\/gen\//.test(file.path)) continue;
    for (const match of codeOnly(file.text).matchAll(named)) {
      const key = `${file.path}#${match[1]}`;
      found.add(key);
      if (Object.hasOwn(register.fuzzed, key) || Object.hasOwn(register.other, key)) continue;
      const message = `'${match[1]}' is fuzzed by nobody; name its target in ${decodersPath}, or say there why it needs none`;
      findings.push({ path: file.path, line: lineAt(file.text, match.index), message });
    }
  }
  for (const key of [...Object.keys(register.fuzzed), ...Object.keys(register.other)]) {
    if (!found.has(key))
      findings.push({ path: decodersPath, line: 1, message: `there is no exported ${key} any more` });
  }
  return findings;
}
