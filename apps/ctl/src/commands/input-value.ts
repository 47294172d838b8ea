/** Values and inputs from an argument, a file or standard input. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { readBytes } from '../byte-text.js';
import type { CommandContext } from '../command-host.js';
import { CtlError, usageError } from '../ctl-error.js';

/** A value larger than this is refused before it is sent: no server takes it. */
const maxInputBytes = 64 * 1024 * 1024;

/** The value of a command: its argument, all of standard input for `-`, or a file. Exactly one must be given. */
export async function inputValue(
  context: CommandContext,
  argument: string | undefined,
  file: string | undefined,
): Promise<Uint8Array> {
  if ((argument === undefined) === (file === undefined)) {
    throw usageError("give the value as an argument, as '-' for standard input, or as --file <path>: one of them");
  }
  if (file !== undefined && file !== '-') return readLocalFile(file);
  if (argument !== undefined && argument !== '-') return readBytes(argument, context.settings.encoding, 'the value');
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of inputChunks(context, '-')) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxInputBytes) throw usageError(`standard input holds more than ${maxInputBytes} bytes`);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** A file, whole. */
export async function readLocalFile(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw localFailure(`file '${path}' cannot be read`, error);
  }
}

/** A file or (`-`) standard input in chunks. */
export async function* inputChunks(context: CommandContext, path: string): AsyncGenerator<Uint8Array> {
  if (path === '-') {
    // Ctrl-C must end the wait for somebody who types, or for a pipe that stays silent.
    const stdin = addAbortSignal(context.signal, context.terminal.stdin);
    for await (const chunk of stdin) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    return;
  }
  const stream = createReadStream(path, { highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (error instanceof CtlError) throw error;
    throw localFailure(`file '${path}' cannot be read`, error);
  } finally {
    stream.destroy();
  }
}

/** A failure of this machine: exit code 1. */
export function localFailure(what: string, error: unknown): CtlError {
  const reason = error instanceof Error ? error.message : String(error);
  return new CtlError('LOCAL_FAILURE', `${what}: ${reason}`, { cause: error });
}
