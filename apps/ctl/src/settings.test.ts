import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { PassThrough } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { type GlobalFlags, resolveSettings } from './settings.js';

const home = mkdtempSync(`${tmpdir()}/ctl-settings-`);
afterAll(() => rmSync(home, { recursive: true }));
mkdirSync(`${home}/.config/shanghai`, { recursive: true });
writeFileSync(
  `${home}/.config/shanghai/ctl.yaml`,
  `default: local
profiles:
  local: { endpoints: ['10.0.0.1:1'], timeoutMs: 111 }
  far: { endpoints: ['10.0.0.2:2', '[::1]:3'], output: yaml, keyspace: k }
`,
);

function resolve(flags: GlobalFlags = {}, environment: Record<string, string> = {}, homeDirectory = '/nonexistent') {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  return resolveSettings(flags, { ...streams, environment, homeDirectory, signal: new AbortController().signal });
}

test('without anything the defaults hold', async () => {
  expect(await resolve()).toEqual({
    endpoints: ['127.0.0.1:9090'],
    timeoutMs: 5000,
    keyspace: '',
    output: 'table',
    encoding: 'text',
    quiet: false,
    color: false,
    yes: false,
  });
});

test('flags win over the environment, it over the profile, it over the defaults', async () => {
  const environment = { SHANGHAI_ENDPOINT: 'a:1, b:2', SHANGHAI_OUTPUT: 'json', SHANGHAI_TIMEOUT_MS: '222' };
  expect(await resolve({}, {}, home)).toMatchObject({ endpoints: ['10.0.0.1:1'], timeoutMs: 111, output: 'table' });
  expect(await resolve({}, environment, home)).toMatchObject({
    endpoints: ['a:1', 'b:2'],
    timeoutMs: 222,
    output: 'json',
  });
  expect(await resolve({ endpoint: ['c:3,d:4', 'e:5'] }, {}, home)).toMatchObject({ endpoints: ['c:3', 'd:4', 'e:5'] });
  const flags = { endpoint: ['c:3'], timeoutMs: '333', output: 'yaml' };
  expect(await resolve(flags, environment, home)).toMatchObject({ endpoints: ['c:3'], timeoutMs: 333, output: 'yaml' });
});

test('a profile is named by flag or environment and looked for where XDG says', async () => {
  const far = { endpoints: ['10.0.0.2:2', '[::1]:3'], output: 'yaml', keyspace: 'k', timeoutMs: 5000 };
  expect(await resolve({ profile: 'far' }, {}, home)).toMatchObject(far);
  expect(await resolve({}, { SHANGHAI_PROFILE: 'far', XDG_CONFIG_HOME: `${home}/.config` })).toMatchObject(far);
  expect(await resolve({ profile: 'far', config: `${home}/.config/shanghai/ctl.yaml` })).toMatchObject(far);
});

test('an empty variable is no value', async () => {
  expect(await resolve({}, { SHANGHAI_ENDPOINT: '', SHANGHAI_OUTPUT: '', SHANGHAI_PROFILE: '' })).toMatchObject({
    output: 'table',
  });
});

test.each([
  [{ profile: 'none' }, {}, "there is no profile 'none'"],
  [{ config: '/nonexistent/x' }, {}, "the profile file '/nonexistent/x' cannot be read"],
  [{}, { SHANGHAI_OUTPUT: 'xml' }, "output 'xml' (from SHANGHAI_OUTPUT) is not one of"],
  [{}, { SHANGHAI_TIMEOUT_MS: '1.5' }, "timeout-ms '1.5' (from SHANGHAI_TIMEOUT_MS)"],
  [{}, { SHANGHAI_ENDPOINT: 'host:99999' }, "endpoint 'host:99999' is not host:port"],
  [{ endpoint: ['http://host:1'] }, {}, "endpoint 'http://host:1' is not host:port"],
])('%j with %j is refused and says where it came from', async (flags, environment, message) => {
  await expect(resolve(flags, environment as Record<string, string>, home)).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining(message),
  });
});

test('a profile file with an unknown or wrong field is refused with its place', async () => {
  writeFileSync(`${home}/bad.yaml`, 'profiles:\n  a: { endpoint: x, timeoutMs: 0 }\n');
  await expect(resolve({ config: `${home}/bad.yaml`, profile: 'a' })).rejects.toThrow(/endpoint[\s\S]*profiles\.a/);
});
