import type { Readable, Writable } from 'node:stream';

/** Where a command reads and writes: the process's own streams and environment, or a test's. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Data, nothing else. */
  readonly stdout: TerminalOutput;
  /** Messages, progress, questions. */
  readonly stderr: TerminalOutput;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For `~/.config` where `XDG_CONFIG_HOME` is not set. */
  readonly homeDirectory: string;
  /** Aborts at Ctrl-C: stop, say how far it came. */
  readonly signal: AbortSignal;
}

/** A stream to a person or a program. */
export type TerminalOutput = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** Writes; resolves when the stream takes more, so that a slow reader slows the command and costs no memory. */
export function writeOut(output: TerminalOutput, data: string | Uint8Array): Promise<void> {
  if (output.destroyed || output.writableEnded) return Promise.resolve();
  if (output.write(data)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      output.off('drain', done);
      output.off('close', done);
      resolve();
    };
    output.on('drain', done);
    output.on('close', done);
  });
}
