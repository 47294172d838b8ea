import { execFile } from 'node:child_process';

/** Runs a program to its end, and gives its standard output. Rejects with what it said where it fails. */
export function runCommand(command: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, [...args], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(' ')}: ${(stderr || error.message).trim()}`));
    });
    if (input !== undefined) child.stdin?.end(input);
  });
}
