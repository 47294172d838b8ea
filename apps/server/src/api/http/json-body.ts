import { isUtf8 } from 'node:buffer';
import type { ZodType } from 'zod';
import { ServerError } from '../../requests/server-error.js';

/** Parses a JSON body; an empty one is `{}`. `INVALID_REQUEST` where it is not UTF-8 or not JSON. */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return {};
  if (!isUtf8(bytes)) throw new ServerError('INVALID_REQUEST', 'the body is not valid UTF-8');
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new ServerError('INVALID_REQUEST', `the body is not JSON: ${(error as Error).message}`);
  }
}

/** Checks a body against its schema. `INVALID_REQUEST` names each field that is wrong and what is wrong with it. */
export function checkedBody<Body>(schema: ZodType<Body>, body: unknown): Body {
  const checked = schema.safeParse(body);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.slice(0, 10).map(({ path, message }) => {
    const field = path.map(String).join('.');
    return { field, problem: message };
  });
  const first = problems[0];
  const where = first === undefined || first.field === '' ? 'the body' : `field '${first.field}'`;
  throw new ServerError('INVALID_REQUEST', `${where}: ${first?.problem ?? 'is not as expected'}`, {
    details: { problems },
  });
}
