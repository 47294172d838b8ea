/**
 * The HTTP listener. A request goes through the guards (`request-guards.ts`), then its query and body are checked
 * against what the route declares, then the route runs; every failure on the way becomes the error envelope in one
 * place. fastify brings the router, body reading with a limit, and closing with requests in flight.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { errorTable } from '@shanghai/proto';
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { isLoopbackHost } from '../../config/loopback-host.js';
import type { RequestRecorder } from '../../observability/request-metrics.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import type { ConnectionGuard } from '../connections/connection-guard.js';
import { stopAccepting } from '../connections/stop-accepting.js';
import { reportedFailure } from '../reported-failure.js';
import { collectBody } from './body-collector.js';
import { envelopeOf, errorEnvelope } from './envelope.js';
import { HttpContext } from './http-context.js';
import type { HttpRequest, HttpRoute } from './http-route.js';
import { checkedBody, parseJsonBody } from './json-body.js';
import { openApiDocument } from './openapi.js';
import { parseQuery } from './query-parameters.js';
import { allOriginHeaders, checkContentType, checkHost, isBytes, preflightHeaders } from './request-guards.js';
import { routes } from './routes.js';

/** An HTTP listener that answers. */
export interface HttpApi {
  readonly port: number;
  /** From now on every answer ends its connection, so that none is left idle when the listener closes. */
  markStopping(): void;
  /** Takes no new connections, lets requests in flight end for up to `graceMs`, then cuts them off. Idempotent. */
  close(graceMs: number): Promise<void>;
}

/** A path parameter may be a percent-encoded key of 64 KiB; headers may hold it too. */
const maxParameterLength = 3 * 65_536;
const maxHeaderBytes = 256 * 1024;

/** How long headers may take to arrive, and a whole request; and how often that is looked at. */
const headersMs = 10_000;
const requestMs = 120_000;
const checkingMs = 2_500;

/** How long a kept connection may be quiet before it is hung up on when the listener closes; and how often that is looked at. */
const lingerMs = 500;
const lookMs = 20;

/** Of an answer that is made as it is read: the next part when the last one is on its way. */
const oneAtATime = { objectMode: false, highWaterMark: 1 };

/** Binds `host:port` (0 = any free port) and serves. Rejects with the errno where the port cannot be had. */
export async function openHttpApi(services: ApiServices, host: string, port: number): Promise<HttpApi> {
  const app = createHttpApp(services, host);
  let isStopping = false;
  guardConnections(app, services.guards.http);
  app.addHook('onSend', async (_request, reply, payload) => {
    if (isStopping) reply.header('Connection', 'close');
    return payload;
  });
  await app.listen({ host, port });
  const address = app.server.address();
  let closing: Promise<void> | undefined;
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    markStopping() {
      isStopping = true;
    },
    close(graceMs) {
      closing ??= closeApp(app, services.guards.http, graceMs);
      return closing;
    },
  };
}

function guardConnections(app: FastifyInstance, guard: ConnectionGuard): void {
  // Before the server itself listens to it: what is refused is never parsed.
  app.server.prependListener('connection', (socket) => void guard.admit(socket));
  app.addHook('onRequest', async ({ socket }, reply) => {
    const release = guard.hold(`${socket.remoteAddress}:${socket.remotePort}`);
    reply.raw.once('close', release);
  });
}

/**
 * No new connections; then those that are kept hear with their next answer that it was the last one, or are hung up on when
 * nothing came for a while. Node would hang up on all that are idle now, also where a request is just on its way.
 */
async function closeApp(app: FastifyInstance, guard: ConnectionGuard, graceMs: number): Promise<void> {
  let isForced = false;
  const force = setTimeout(() => {
    isForced = true;
    app.server.closeAllConnections();
    guard.close();
  }, graceMs);
  await stopAccepting(app.server);
  while (guard.hangUpQuiet(lingerMs) > 0 && !isForced) await new Promise((resolve) => setTimeout(resolve, lookMs));
  await app.close();
  clearTimeout(force);
}

/** The application without a listener; `host` decides whether the `Host` header is checked. */
export function createHttpApp(services: ApiServices, host: string): FastifyInstance {
  const contexts = new WeakMap<object, HttpContext>();
  const contextOf = (request: FastifyRequest, reply: FastifyReply): HttpContext => {
    const known = contexts.get(request.raw);
    if (known !== undefined) return known;
    const context = new HttpContext(request.raw, reply.raw, services);
    contexts.set(request.raw, context);
    return context;
  };
  const unmatched = services.requests.recorder('http', 'unmatched');
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    answerFailure(error, contextOf(request, reply), request, reply, services, unmatched);
  const { maxRequestBytes } = services.limits;
  const responses = new WeakMap<object, ServerResponse>();
  const app = fastify({
    bodyLimit: maxRequestBytes,
    routerOptions: { maxParamLength: maxParameterLength, querystringParser: () => ({}) },
    http: { maxHeaderSize: maxHeaderBytes, headersTimeout: headersMs, connectionsCheckingInterval: checkingMs },
    requestTimeout: requestMs,
    frameworkErrors: (error, request, reply) => void fail(error, request, reply),
    clientErrorHandler: answerUnreadable,
    forceCloseConnections: 'idle',
    // What comes on a connection that is still open is answered: the node closes behind its listeners.
    return503OnClosing: false,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async (request: FastifyRequest, body: IncomingMessage) => {
    const contentLength = Number(request.headers['content-length']);
    const response = responses.get(request.raw);
    const onOver = (release: () => void) => void response?.once('close', release);
    return collectBody({ body, contentLength, maxBytes: maxRequestBytes, onOver }, services.guards.receiving);
  });
  app.addHook('onRequest', async (request, reply) => {
    contextOf(request, reply);
    responses.set(request.raw, reply.raw);
    if (isLoopbackHost(host)) checkHost(request.headers.host);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload === 'string') contextOf(request, reply).made(payload.length);
    return payload;
  });
  app.setErrorHandler((error, request, reply) => fail(error, request, reply));
  app.setNotFoundHandler((request, reply) => fail(unmatchedError(request), request, reply));
  const description = openApiDocument(routes, services.version);
  app.get('/openapi.json', async () => description);
  for (const route of routes) addRoute(app, route, services, contextOf);
  for (const [path, methods] of allOriginPaths()) addPreflight(app, path, methods);
  return app;
}

function addRoute(
  app: FastifyInstance,
  route: HttpRoute,
  services: ApiServices,
  contextOf: (request: FastifyRequest, reply: FastifyReply) => HttpContext,
): void {
  const recorder = services.requests.recorder('http', `${route.method} ${route.path}`);
  app.route({
    method: route.method,
    url: route.path,
    onRequest: async (request, reply) => {
      request.recorder = recorder;
      if (route.allOrigins) reply.headers(allOriginHeaders);
      checkContentType(request.method, request.headers, route.takesBytes);
    },
    handler: async (request, reply) => {
      const context = contextOf(request, reply);
      const answer = await route.handle(typedRequest(route, request, services.limits.maxOperations), context, services);
      recorder.finished(context.startedMs, 'OK');
      if (!route.isStream) context.answered();
      if ('lines' in answer) return reply.type(answer.contentType).send(Readable.from(answer.lines, oneAtATime));
      reply.code(answer.statusCode ?? 200);
      if ('text' in answer) return reply.type(answer.contentType).send(answer.text);
      if (answer.headers !== undefined) reply.headers(answer.headers);
      return envelopeOf(answer, services.nowMs());
    },
  });
}

function typedRequest(route: HttpRoute, request: FastifyRequest, maxOperations: number): HttpRequest<unknown, unknown> {
  const { url } = request.raw;
  const mark = url?.indexOf('?') ?? -1;
  const query = parseQuery(route.parameters, mark < 0 ? '' : (url?.slice(mark + 1) ?? ''));
  const bytes = request.body instanceof Buffer ? request.body : Buffer.alloc(0);
  const isPlain = route.takesBytes === true && isBytes(request.headers);
  const hasJson = route.body !== undefined && !isPlain;
  return {
    params: request.params as Record<string, string>,
    query,
    body: hasJson ? checkedBody(route.body, parseJsonBody(bytes, maxOperations)) : undefined,
    ...(isPlain ? { bytes } : {}),
    headersFrom: (prefix) =>
      Object.entries(request.headers).flatMap(([name, value]) =>
        name.startsWith(prefix) && typeof value === 'string' ? [[name.slice(prefix.length), value] as const] : [],
      ),
    header(name) {
      const value = request.headers[name];
      return typeof value === 'string' ? value : undefined;
    },
  };
}

function answerFailure(
  error: unknown,
  context: HttpContext,
  request: FastifyRequest,
  reply: FastifyReply,
  services: ApiServices,
  unmatched: RequestRecorder,
) {
  const cause = isFastifyError(error) ? translated(error, services) : error;
  const failure = reportedFailure(
    cause,
    context.correlationId,
    `${request.method} ${request.routeOptions.url ?? ''}`,
    services.logger,
  );
  const { http } = errorTable[failure.code];
  (request.recorder ?? unmatched).finished(context.startedMs, failure.code);
  const { leader, leaderHttp } = failure.details;
  const named = [leaderHttp, leader].find((address) => typeof address === 'string' && address !== '');
  if (named !== undefined) reply.header('X-Shanghai-Leader', named);
  if (http === 405) reply.header('Allow', String(failure.details['allowed'] ?? ''));
  return reply.code(http).send(errorEnvelope(failure, services.nowMs()));
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('FST_');
}

/** What the framework refuses, in the words of the table. */
function translated(error: FastifyError, services: ApiServices): ServerError | FastifyError {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const { maxRequestBytes } = services.limits;
    return new ServerError('INVALID_REQUEST', `the body is larger than ${maxRequestBytes} bytes`, {
      details: { maxRequestBytes },
    });
  }
  if (error.code === 'FST_ERR_BAD_URL' || error.code === 'FST_ERR_MAX_PARAM_LENGTH') {
    return new ServerError(
      'INVALID_REQUEST',
      'the path is not percent-encoded UTF-8, or too long; use /kv?key= and base64',
    );
  }
  if (error.statusCode !== undefined && error.statusCode < 500)
    return new ServerError('INVALID_REQUEST', error.message);
  return error;
}

/** Why no route matched: another method of a path that exists, or no such path. */
function unmatchedError(request: FastifyRequest): ServerError {
  const path = request.url.split('?', 1)[0] ?? '';
  const methods = routes.filter((route) => patternOf(route.path).test(path)).map((route) => route.method);
  if (methods.length > 0) {
    const allowed = [...new Set(methods)].join(', ');
    return new ServerError('METHOD_NOT_ALLOWED', `${path} does not take ${request.method}; allowed: ${allowed}`, {
      details: { allowed },
    });
  }
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return new ServerError('NOT_FOUND', `there is no route ${request.method} ${shown}; /openapi.json lists them all`);
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/:[a-z_]+/g, '[^/]+')}$`);
}

function allOriginPaths(): Map<string, string[]> {
  const paths = new Map<string, string[]>();
  for (const { path, method, allOrigins } of routes) {
    if (allOrigins) paths.set(path, [...(paths.get(path) ?? []), method]);
  }
  return paths;
}

function addPreflight(app: FastifyInstance, path: string, methods: readonly string[]): void {
  app.options(path, async (_request, reply) => reply.code(204).headers(preflightHeaders(methods)).send());
}

/** A request that is not HTTP, or whose headers are too large: answered by hand, because no request object exists. */
function answerUnreadable(
  error: Error & { code?: string },
  socket: { writable: boolean; end(text: string): void },
): void {
  if (!socket.writable || error.code === 'ECONNRESET') return;
  const { head, message } = unreadable(error.code);
  const failure = { code: 'INVALID_REQUEST', message, details: {} } as const;
  const body = JSON.stringify(errorEnvelope(failure, Date.now()));
  socket.end(
    `HTTP/1.1 ${head}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function unreadable(code: string | undefined): { readonly head: string; readonly message: string } {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        head: '431 Request Header Fields Too Large',
        message: `the headers are larger than ${maxHeaderBytes} bytes`,
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        head: '408 Request Timeout',
        message: `headers have ${headersMs} ms to arrive, a request ${requestMs} ms`,
      };
    default:
      return { head: '400 Bad Request', message: 'the request is not HTTP/1.1' };
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the route that matched. */
    recorder?: RequestRecorder;
  }
}
