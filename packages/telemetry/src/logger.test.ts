import { describe, expect, it } from 'vitest';
import { correlated, createLogger, type LoggerOptions } from './logger.js';

function capture(options: LoggerOptions = {}) {
  const lines: string[] = [];
  return { lines, logger: createLogger({ ...options, write: (line) => void lines.push(line) }) };
}

describe('createLogger', () => {
  it('writes one JSON object a line with level name, ISO time, fields and message', () => {
    const { lines, logger } = capture({ fields: { node: 'n1' } });
    logger.info({ port: 8080 }, 'listening');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('\n')).toBe(true);
    const entry = JSON.parse(lines[0] ?? '');
    expect(entry).toMatchObject({ level: 'info', node: 'n1', port: 8080, msg: 'listening' });
    expect(new Date(entry.time).toISOString()).toBe(entry.time);
  });

  it('writes nothing below its level', () => {
    const { lines, logger } = capture({ level: 'warn' });
    logger.info({}, 'no');
    logger.warn({}, 'yes');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['yes']);
    expect(logger.isLevelEnabled('info')).toBe(false);
  });

  it('puts the correlation id on every line of a correlated child', () => {
    const { lines, logger } = capture();
    correlated(logger, 'abc').warn({}, 'slow');
    logger.warn({}, 'other');
    expect(lines.map((line) => JSON.parse(line).correlationId)).toEqual(['abc', undefined]);
  });

  it('redacts credentials at the top, one level down, and where it is told to', () => {
    const { lines, logger } = capture({ redact: ['user.email'] });
    logger.info({ token: 's3', headers: { authorization: 'Bearer s3' }, user: { email: 's3', name: 'x' } }, 'in');
    expect(lines[0]).not.toContain('s3');
    expect(JSON.parse(lines[0] ?? '').user).toEqual({ email: '[redacted]', name: 'x' });
  });

  it('writes errors with type, message and stack under err', () => {
    const { lines, logger } = capture();
    logger.error({ err: new RangeError('too far') }, 'failed');
    expect(JSON.parse(lines[0] ?? '').err).toMatchObject({ type: 'RangeError', message: 'too far' });
  });

  it('writes lines for eyes where that is asked for', () => {
    const { lines, logger } = capture({ format: 'pretty' });
    logger.error({ port: 1, why: 'two words', err: new Error('boom') }, 'failed');
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} ERROR failed {2}port=1 {2}why="two words"\n {2}Error: boom\n/);
  });
});
