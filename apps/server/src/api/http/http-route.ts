import type { OutgoingHttpHeaders } from 'node:http';
import type { ZodType } from 'zod';
import type { ApiServices } from '../api-services.js';
import type { HttpContext } from './http-context.js';
import type { QueryOf, QueryParameter } from './query-parameters.js';

/** A request that was understood: its parts have the types the route declared. */
export interface HttpRequest<Query, Body> {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** The body as it is, of a route that takes such; there is no `body` then. */
  readonly bytes?: Buffer;
  header(name: string): string | undefined;
  /** Headers whose name, in lower case, begins so: the rest of the name, and the value in Latin-1. */
  headersFrom(prefix: string): readonly (readonly [string, string])[];
}

/** What a route answers: `data` in the success envelope, `text` as it is, or `lines` as they come, the next ones when the reader took the last. */
export type HttpAnswer =
  | {
      readonly data: unknown;
      /** Default 200. */
      readonly statusCode?: number;
      /** Default `'success'`. */
      readonly status?: 'success' | 'partial_success';
      readonly headers?: OutgoingHttpHeaders;
    }
  | { readonly text: string; readonly contentType: string; readonly statusCode?: number }
  | { readonly lines: AsyncGenerator<string, void, undefined>; readonly contentType: string };

/** What a route says about itself for the API description. */
export interface RouteDescription {
  readonly summary: string;
  readonly parameters: Readonly<Record<string, QueryParameter<unknown>>>;
  readonly body?: ZodType;
  /** Status codes of success and what they mean. */
  readonly answers: Readonly<Record<number, string>>;
}

/** One route. */
export interface HttpRoute extends RouteDescription {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `:name` stands for one path segment. */
  readonly path: string;
  /** Pages of any origin may call it. */
  readonly allOrigins: boolean;
  /** Reads a stream behind the API, which may go on looking at the signal. Default false. */
  readonly isStream?: boolean;
  /** Takes a body that is no JSON, as `application/octet-stream`. Default false. */
  readonly takesBytes?: boolean;
  handle(request: HttpRequest<unknown, unknown>, context: HttpContext, services: ApiServices): Promise<HttpAnswer>;
}

/** A route whose handler is typed by its parameters and its body. */
export interface TypedRoute<Parameters extends Readonly<Record<string, QueryParameter<unknown>>>, Body>
  extends Omit<HttpRoute, 'parameters' | 'body' | 'handle'> {
  readonly parameters: Parameters;
  readonly body?: ZodType<Body>;
  handle(
    request: HttpRequest<QueryOf<Parameters>, Body>,
    context: HttpContext,
    services: ApiServices,
  ): Promise<HttpAnswer>;
}

/** Gives a route its types. Query and body are checked against the declaration before the handler runs. */
export function httpRoute<Parameters extends Readonly<Record<string, QueryParameter<unknown>>>, Body = undefined>(
  route: TypedRoute<Parameters, Body>,
): HttpRoute {
  return route as unknown as HttpRoute;
}
