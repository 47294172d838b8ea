/** Routes that are asked by machines whether the node lives and takes requests. */
import type { TimedCheck } from '../../health/health-view.js';
import { ServerError } from '../../requests/server-error.js';
import { checkFields } from './health-fields.js';
import { type HttpAnswer, type HttpRoute, httpRoute } from './http-route.js';
import { flagParameter, textParameter } from './query-parameters.js';

function json(statusCode: number, body: object): HttpAnswer {
  return { statusCode, contentType: 'application/json; charset=utf-8', text: `${JSON.stringify(body)}\n` };
}

/** One line a check, in the form that operators know from other systems. */
function lines(checks: readonly TimedCheck[], ok: boolean): HttpAnswer {
  const line = ({ name, ok: holds, detail, sinceMs }: TimedCheck) =>
    `[${holds ? '+' : '-'}]${name} ${holds ? 'ok' : 'failed'}: ${detail}, since ${new Date(sinceMs).toISOString()}\n`;
  const text = `${checks.map(line).join('')}readyz check ${ok ? 'passed' : 'failed'}\n`;
  return { statusCode: ok ? 200 : 503, contentType: 'text/plain; charset=utf-8', text };
}

function without(checks: readonly TimedCheck[], exclude: string | undefined): readonly TimedCheck[] {
  const names = exclude === undefined || exclude === '' ? [] : exclude.split(',');
  const unknown = names.find((name) => checks.every((check) => check.name !== name));
  if (unknown !== undefined) throw noSuchCheck(unknown, checks, 'INVALID_PARAMETERS');
  return checks.filter(({ name }) => !names.includes(name));
}

function noSuchCheck(name: string, checks: readonly TimedCheck[], code: 'NOT_FOUND' | 'INVALID_PARAMETERS') {
  const known = checks.map((check) => check.name).join(', ');
  return new ServerError(code, `there is no check '${name.slice(0, 100)}'; there are ${known}`);
}

/** The probes. */
export const probeRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/health',
    summary: '200 while the node takes requests, else 503 with the checks that failed.',
    parameters: {},
    answers: { 200: 'Healthy.' },
    allOrigins: true,
    async handle(_request, _context, services) {
      const checks = services.health.checks();
      const failed = checks.filter(({ ok }) => !ok);
      const shown = checks.map(checkFields);
      if (failed.length === 0) return { data: { status: 'healthy', checks: shown } };
      const what = failed.map(({ name, detail }) => `${name} (${detail})`).join(', ');
      throw new ServerError('SERVICE_UNAVAILABLE', `not healthy: ${what}`, { details: { checks: shown } });
    },
  }),
  httpRoute({
    method: 'GET',
    path: '/livez',
    summary: '200 while the process answers at all. Never depends on peers or disks.',
    parameters: {},
    answers: { 200: 'Alive.' },
    allOrigins: false,
    handle: async () => json(200, { status: 'alive' }),
  }),
  httpRoute({
    method: 'GET',
    path: '/readyz',
    summary: '200 when every named check holds, else 503.',
    parameters: {
      verbose: flagParameter('Lines of text instead of JSON.'),
      exclude: textParameter('Names of checks that do not matter, with commas between them.'),
    },
    answers: { 200: 'Ready.' },
    allOrigins: false,
    async handle({ query }, _context, services) {
      const checks = without(services.health.checks(), query.exclude);
      const ok = checks.every((check) => check.ok);
      if (query.verbose === true) return lines(checks, ok);
      return json(ok ? 200 : 503, { status: ok ? 'ready' : 'not_ready', checks: checks.map(checkFields) });
    },
  }),
  httpRoute({
    method: 'GET',
    path: '/readyz/:check',
    summary: '200 when this one check holds, else 503.',
    parameters: {},
    answers: { 200: 'It holds.' },
    allOrigins: false,
    async handle({ params }, _context, services) {
      const checks = services.health.checks();
      const name = params['check'] ?? '';
      const check = checks.find((one) => one.name === name);
      if (check === undefined) throw noSuchCheck(name, checks, 'NOT_FOUND');
      return json(check.ok ? 200 : 503, checkFields(check));
    },
  }),
];
