import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { DecoderRegister } from '../checks/decoders.js';
import { fuzzTargets } from './all-targets.js';
import { runTarget } from './run-target.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 24_000);
/** `pnpm deep fuzz` does far more. */
const cases = 150;

test.each(fuzzTargets.map((target) => [target.name, target] as const))(
  '%s refuses or takes what comes, and no more',
  async (_, target) => {
    const count = Math.max(30, Math.ceil(cases / (target.cost ?? 1)));
    const { findings, accepted } = await runTarget(target, { seed, from: 0, count });
    const told = findings.map(({ case: number, what, input, error }) => ({
      number,
      what,
      input: Buffer.from(input).toString('base64'),
      error,
    }));
    expect(told, `SHANGHAI_SEED=${seed}`).toEqual([]);
    // The examples themselves are among the cases.
    expect(accepted).toBeGreaterThanOrEqual((await target.examples()).length);
  },
);

test('the register of decoders names targets that there are, and no others', () => {
  const register = JSON.parse(readFileSync(new URL('decoders.json', import.meta.url), 'utf8')) as DecoderRegister;
  const names = new Set(fuzzTargets.map(({ name }) => name));
  expect(names.size).toBe(fuzzTargets.length);
  expect(Object.entries(register.fuzzed).filter(([, name]) => !names.has(name))).toEqual([]);
});
