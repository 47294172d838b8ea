import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { ApiLimits } from '../src/api/api-services.js';
import { type HttpApi, openHttpApi } from '../src/api/http/http-api.js';
import { type TestServices, testServices } from './api-services.js';
import { createMemoryNode, type MemoryNode } from './memory-node.js';

/** A JSON answer to look into: every field may be asked for. */
export interface Json {
  readonly [field: string]: Json;
}

/** What came back. `json` is empty where the body is none. */
export interface HttpResult {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: Json;
}

/** What is sent beside method and path. A `body` that is not a string or Buffer is sent as JSON. */
export interface HttpInput {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpFixture {
  readonly node: MemoryNode;
  readonly services: TestServices;
  readonly api: HttpApi;
  send(method: string, path: string, input?: HttpInput): Promise<HttpResult>;
  close(): Promise<void>;
}

export async function openHttpFixture(limits: Partial<ApiLimits> = {}, host = '127.0.0.1'): Promise<HttpFixture> {
  const node = createMemoryNode();
  const services = testServices(node, limits);
  const api = await openHttpApi(services, host, 0);
  return {
    node,
    services,
    api,
    send: (method, path, input) => sendHttp(api.port, method, path, input),
    close: () => api.close(0),
  };
}

/** Sends one request; a body goes with `Content-Type: application/json` unless headers say otherwise. */
export function sendHttp(port: number, method: string, path: string, input: HttpInput = {}): Promise<HttpResult> {
  const { body } = input;
  const bytes =
    body === undefined ? undefined : typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body);
  const headers: Record<string, string> = { ...input.headers };
  const hasType = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  if (bytes !== undefined && !hasType) headers['content-type'] = 'application/json';
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = String(response.headers['content-type']).includes('json') && text !== '';
        const json = (isJson ? JSON.parse(text) : {}) as Json;
        resolve({ code: response.statusCode ?? 0, headers: response.headers, text, json });
      });
    });
    sent.on('error', reject);
    sent.end(bytes);
  });
}
