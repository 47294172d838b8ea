/**
 * Query parameters, declared once for checking and for the API description. Everything wrong with a query is
 * `INVALID_PARAMETERS` and names the parameter, its value and what is allowed.
 */
import { ServerError } from '../../requests/server-error.js';
import { decodeComponent } from './wire-text.js';

/** One parameter: how its text becomes a value, and its JSON schema. */
export interface QueryParameter<Value> {
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
  parse(text: string, name: string): Value;
}

/** The values of a set of parameters; what was not sent is absent. */
export type QueryOf<Parameters extends Readonly<Record<string, QueryParameter<unknown>>>> = {
  readonly [Name in keyof Parameters]?: Parameters[Name] extends QueryParameter<infer Value> ? Value : never;
};

/** Any text. */
export function textParameter(description: string): QueryParameter<string> {
  return { description, schema: { type: 'string' }, parse: (text) => text };
}

/** A whole number in [minimum, maximum]. */
export function integerParameter(description: string, minimum: number, maximum: number): QueryParameter<number> {
  return {
    description,
    schema: { type: 'integer', minimum, maximum },
    parse(text, name) {
      const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= minimum && value <= maximum) return value;
      throw invalidParameter(name, text, `a whole number from ${minimum} to ${maximum}`);
    },
  };
}

/** `true` or `false`. */
export function booleanParameter(description: string): QueryParameter<boolean> {
  return {
    description,
    schema: { type: 'boolean' },
    parse(text, name) {
      if (text === 'true' || text === 'false') return text === 'true';
      throw invalidParameter(name, text, 'true or false');
    },
  };
}

/** True where it is named, with or without `true`. */
export function flagParameter(description: string): QueryParameter<boolean> {
  const plain = booleanParameter(description);
  return { ...plain, parse: (text, name) => text === '' || plain.parse(text, name) };
}

/** One of a few words. */
export function choiceParameter<Choice extends string>(
  description: string,
  choices: readonly Choice[],
): QueryParameter<Choice> {
  return {
    description,
    schema: { type: 'string', enum: choices },
    parse(text, name) {
      const found = choices.find((choice) => choice === text);
      if (found === undefined) throw invalidParameter(name, text, choices.join(', '));
      return found;
    },
  };
}

/** Says what is wrong with a parameter. */
export function invalidParameter(name: string, value: string, allowed: string): ServerError {
  const shown = value.length > 100 ? `${value.slice(0, 100)}…` : value;
  return new ServerError('INVALID_PARAMETERS', `parameter '${name}' is '${shown}'; allowed: ${allowed}`, {
    details: { parameter: name, value: shown, allowed },
  });
}

/** Parses a query string (without the question mark). Unknown and repeated parameters are refused. */
export function parseQuery<Parameters extends Readonly<Record<string, QueryParameter<unknown>>>>(
  parameters: Parameters,
  query: string,
): QueryOf<Parameters> {
  const values: Record<string, unknown> = {};
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decodeComponent(equals < 0 ? part : part.slice(0, equals), 'a parameter name');
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (parameter === undefined) {
      const allowed = Object.keys(parameters).join(', ') || 'none';
      throw new ServerError('INVALID_PARAMETERS', `there is no parameter '${name.slice(0, 100)}'; allowed: ${allowed}`);
    }
    if (Object.hasOwn(values, name)) {
      throw new ServerError('INVALID_PARAMETERS', `parameter '${name}' is given more than once`);
    }
    values[name] = parameter.parse(
      decodeComponent(equals < 0 ? '' : part.slice(equals + 1), `parameter '${name}'`),
      name,
    );
  }
  return values as QueryOf<Parameters>;
}
