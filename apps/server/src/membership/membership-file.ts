/** What a node knows again of its membership: `membership.json` in the data directory (docs/formats/data-directory.md). */
import { type Disk, readWholeFile, replaceFile } from '@shanghai/env';
import type { MembershipMemory, RememberedMembership } from '@shanghai/membership';
import { z } from 'zod';

const fileName = 'membership.json';
const maxBytes = 1_048_576;

const schema = z.object({
  format: z.literal(1),
  incarnation: z.int().min(1),
  addresses: z.array(z.string()).max(1_000),
});

/**
 * The memory in a directory. Nothing of it is worth a node that does not start: a file that cannot be read is as good as
 * none, for the incarnation then begins at the wall clock; and what cannot be written is told to `onFailed`.
 */
export function membershipFile(disk: Disk, directory: string, onFailed: (error: unknown) => void): MembershipMemory {
  const path = `${directory}/${fileName}`;
  return {
    async load() {
      const bytes = await readWholeFile(disk, path, maxBytes).catch(onFailed);
      return bytes === undefined ? undefined : rememberedIn(Buffer.from(bytes).toString());
    },
    async save({ incarnation, addresses }) {
      const text = `${JSON.stringify({ format: 1, incarnation, addresses }, null, 2)}\n`;
      await replaceFile(disk, path, Buffer.from(text)).catch(onFailed);
    },
  };
}

function rememberedIn(text: string): RememberedMembership | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
