/** `text` as one word of a POSIX shell's command line: as it is where nothing in it means anything to the shell, else quoted. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
