import { CtlError } from '../ctl-error.js';
import { textLines } from './text-lines.js';

/**
 * The numbers of the records that an acknowledged file lists. A last line that a crash of the tool cut off is passed
 * over: its record counts as not acknowledged. Any other line that is not one of ours fails with `INVALID_REQUEST`.
 */
export async function readAcknowledged(chunks: AsyncIterable<Uint8Array>, path: string): Promise<ReadonlySet<number>> {
  const numbers = new Set<number>();
  let broken: number | undefined;
  for await (const { text, number } of textLines(chunks)) {
    if (broken !== undefined) {
      throw new CtlError('INVALID_REQUEST', `line ${broken} of '${path}' is not {"record":…,"key":…}`);
    }
    const record = recordNumber(text);
    if (record === undefined) broken = number;
    else numbers.add(record);
  }
  return numbers;
}

function recordNumber(line: string): number | undefined {
  try {
    const { record } = JSON.parse(line) as { record?: unknown };
    return typeof record === 'number' ? record : undefined;
  } catch {
    return undefined;
  }
}
