/** The profile file, `~/.config/shanghai/ctl.yaml`: named sets of global options. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { usageError } from './ctl-error.js';

const profileSchema = z.strictObject({
  endpoints: z.array(z.string()).min(1).optional(),
  timeoutMs: z.int().positive().optional(),
  keyspace: z.string().optional(),
  output: z.string().optional(),
  encoding: z.string().optional(),
});

const fileSchema = z.strictObject({
  default: z.string().optional(),
  profiles: z.record(z.string(), profileSchema),
});

/** What a profile may set; the rest comes from defaults. */
export interface Profile {
  readonly endpoints?: readonly string[] | undefined;
  readonly timeoutMs?: number | undefined;
  readonly keyspace?: string | undefined;
  readonly output?: string | undefined;
  readonly encoding?: string | undefined;
}

/** The named profile, else the file's `default`, else an empty one. Fails with a usage error where it cannot be had. */
export async function readProfile(path: string, name: string | undefined): Promise<Profile> {
  let document: unknown;
  try {
    document = parse(await readFile(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(`the profile file '${path}' cannot be read: ${reason}`);
  }
  const parsed = fileSchema.safeParse(document);
  if (!parsed.success) throw usageError(`the profile file '${path}' is not valid:\n${z.prettifyError(parsed.error)}`);
  const wanted = name ?? parsed.data.default;
  if (wanted === undefined) return {};
  const profile = parsed.data.profiles[wanted];
  if (profile === undefined) {
    const known = Object.keys(parsed.data.profiles).join(', ') || 'none';
    throw usageError(`there is no profile '${wanted}' in '${path}' (there are: ${known})`);
  }
  return profile;
}
