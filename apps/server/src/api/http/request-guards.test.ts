import { expect, test } from 'vitest';
import { checkContentType } from './request-guards.js';

function check(contentType: string | undefined, contentEncoding?: string): void {
  checkContentType('PUT', {
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...(contentEncoding === undefined ? {} : { 'content-encoding': contentEncoding }),
  });
}

test('bodies are taken that say they are JSON, in UTF-8 and as they are', () => {
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/json;charset="UTF-8"']) {
    check(type);
    check(type, 'identity');
  }
  check('application/json ; version=1 ; charset=utf8');
});

test('other types, charsets and compressed bodies are refused', () => {
  for (const type of [undefined, 'text/plain', 'application/jsonp', 'application/json; charset=latin1']) {
    expect(() => check(type), String(type)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  }
  for (const encoding of ['gzip', 'br', 'identity, gzip']) {
    expect(() => check('application/json', encoding), encoding).toThrow(/not compressed/);
  }
});
