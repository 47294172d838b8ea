import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { BitcaskError } from '@shanghai/bitcask';
import { InvariantError } from '@shanghai/env';
import { errorTable } from '@shanghai/proto';
import { WalError } from '@shanghai/wal';
import { describe, expect, it } from 'vitest';
import { ServerError } from '../requests/server-error.js';
import { errorCodeOf, maxMessageLength, wireFailure } from './error-mapping.js';

describe('errorCodeOf', () => {
  it.each([
    [new ServerError('CONFLICT', 'x'), 'CONFLICT'],
    [new WalError('LSN_TRIMMED', 'x'), 'OUT_OF_RANGE'],
    [new WalError('QUEUE_FULL', 'x'), 'RESOURCE_EXHAUSTED'],
    [new WalError('WAL_POISONED', 'x'), 'OUTCOME_UNKNOWN'],
    [new BitcaskError('CORRUPT', 'x'), 'DATA_CORRUPTED'],
    [new BitcaskError('DISK_FULL', 'x'), 'STORAGE_FULL'],
    [new BitcaskError('CONDITION_FAILED', 'x'), 'CONFLICT'],
    [new RangeError('x'), 'INVALID_REQUEST'],
    [new DOMException('x', 'AbortError'), 'CANCELLED'],
    [new TypeError('x'), 'INTERNAL_ERROR'],
    [new InvariantError('x'), 'INTERNAL_ERROR'],
    ['a string', 'INTERNAL_ERROR'],
    [undefined, 'INTERNAL_ERROR'],
  ])('%s is %s', (error, code) => {
    expect(errorCodeOf(error)).toBe(code);
  });
});

describe('wireFailure', () => {
  it('keeps message and details of what the caller shall know', () => {
    const error = new BitcaskError('CORRUPT', 'record damaged', { details: { file: '1.data', offset: 5 } });
    const details = { file: '1.data', offset: 5 };
    expect(wireFailure(error, 'c')).toEqual({ code: 'DATA_CORRUPTED', message: 'record damaged', details });
  });

  it('gives nothing away of a defect but the correlation id', () => {
    const failure = wireFailure(new Error('/etc/passwd'), 'c-1');
    expect(failure).toMatchObject({ code: 'INTERNAL_ERROR', details: {} });
    expect(failure.message).toContain('c-1');
    expect(failure.message).not.toContain('passwd');
  });

  it('hides the text of an INTERNAL_ERROR whoever made it', () => {
    expect(wireFailure(new ServerError('INTERNAL_ERROR', 'secret'), 'c').message).not.toContain('secret');
  });

  it('cuts messages and mends lone surrogates, which transports cannot carry', () => {
    const { message } = wireFailure(new RangeError(`\ud800${'x'.repeat(5_000)}`), 'c');
    expect(message).toHaveLength(maxMessageLength);
    expect(message[0]).toBe('\ufffd');
    expect(() => encodeURI(message)).not.toThrow();
    const cutInAPair = wireFailure(new RangeError(`${'x'.repeat(maxMessageLength - 2)}😀😀`), 'c');
    expect(() => encodeURI(cutInAPair.message)).not.toThrow();
  });
});

describe('docs/ERRORS.md', () => {
  it('has a section for every code of the table, in its words and numbers, and no other', () => {
    const document = readFileSync(new URL('../../../../docs/ERRORS.md', import.meta.url), 'utf8');
    const [, ...sections] = document.split(/^## /m);
    const byCode = new Map(sections.map((section) => [section.split('\n', 1)[0], section]));
    expect([...byCode.keys()]).toEqual(Object.keys(errorTable));
    for (const [code, row] of Object.entries(errorTable)) {
      const section = byCode.get(code);
      const line = `HTTP ${row.http} · gRPC ${status[row.grpc]} · exit ${row.exit} · retry ${row.retry}`;
      expect(section).toContain(line);
      expect(section).toContain(row.meaning);
      expect(section).toMatch(/\*\*Cause\.\*\* .+\n\n\*\*What to do\.\*\* .+/);
    }
  });
});
