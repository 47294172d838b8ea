import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mailsDirectory } from './cities.js';

/** Some six thousand real mails, a file each, in order of their groups and names. */
export function mailFiles(): readonly { readonly name: string; readonly path: string }[] {
  const groups = readdirSync(mailsDirectory, { withFileTypes: true }).filter((group) => group.isDirectory());
  return groups.flatMap((group) => {
    const names = readdirSync(join(mailsDirectory, group.name)).filter((name) => name.endsWith('.txt'));
    return names.map((name) => ({ name: `${group.name}-${name}`, path: join(mailsDirectory, group.name, name) }));
  });
}
