/**
 * Keys made from records: `{country}:{name}` takes fields, `{address.city}` fields of fields, `{#}` the record's number;
 * `{{` and `}}` stand for the braces themselves.
 */
import { CtlError, usageError } from '../ctl-error.js';

/** Makes the key of a record. Fails with `INVALID_REQUEST` where a field is missing or not text, number or boolean. */
export type KeyMaker = (record: unknown, number: number) => string;

/** Reads a template. Fails with a usage error where it is not one. */
export function parseKeyTemplate(template: string): KeyMaker {
  const parts: ((record: unknown, number: number) => string)[] = [];
  let fields = 0;
  for (const [part] of template.matchAll(/\{\{|\}\}|\{[^{}]*\}|[^{}]+|[{}]/g)) {
    if (part === '{' || part === '}')
      throw usageError(`key template '${template}' has a '${part}' without its partner`);
    if (part === '{}') throw usageError(`key template '${template}' has an empty field name`);
    if (part === '{{' || part === '}}') parts.push(() => part.slice(1));
    else if (part.startsWith('{')) {
      fields += 1;
      const path = part.slice(1, -1);
      parts.push(
        path === '#' ? (_record, number) => String(number) : (record, number) => fieldText(record, path, number),
      );
    } else parts.push(() => part);
  }
  if (fields === 0) throw usageError(`key template '${template}' names no field: every record would get the same key`);
  return (record, number) => parts.map((part) => part(record, number)).join('');
}

/** A field of a record as text: text as it is, numbers and booleans in JSON. A dotted path enters objects. */
export function fieldText(record: unknown, path: string, number: number): string {
  const value = fieldOf(record, path);
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const problem = value === undefined ? 'has no field' : 'has no plain value in field';
  throw new CtlError('INVALID_REQUEST', `record ${number} ${problem} '${path}'`, {
    details: { record: number, field: path },
  });
}

/** A field of a record, or `undefined`. A field whose own name holds dots wins over a path. */
export function fieldOf(record: unknown, path: string): unknown {
  if (typeof record !== 'object' || record === null) return undefined;
  if (Object.hasOwn(record, path)) return (record as Record<string, unknown>)[path];
  const dot = path.indexOf('.');
  return dot === -1 ? undefined : fieldOf((record as Record<string, unknown>)[path.slice(0, dot)], path.slice(dot + 1));
}
