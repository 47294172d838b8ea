import { z } from 'zod';

/** An object with these fields and no others; a refusal of another field names those that are allowed. */
export function closedObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined;
      const shown = issue.keys.map((name) => `'${name.slice(0, 100)}'`).slice(0, 10);
      return `unknown field ${shown.join(', ')}; allowed: ${Object.keys(shape).join(', ')}`;
    },
  });
}
