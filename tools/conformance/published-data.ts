import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where published data lies beside a checkout, if it does: tests that want it are skipped elsewhere. */
export function publishedData(part: string): string | undefined {
  const folder = fileURLToPath(new URL(`../../../shared/conformance/${part}`, import.meta.url));
  return existsSync(folder) ? folder : undefined;
}
