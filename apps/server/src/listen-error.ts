import { CodedError } from '@shanghai/env';
import { hostAndPort } from './config/node-settings.js';

/** A port cannot be had. */
export class ListenError extends CodedError<'PORT_UNAVAILABLE'> {
  constructor(message: string, cause: unknown) {
    super('PORT_UNAVAILABLE', message, { cause });
  }
}

/** Says which listener could not be bound, why, and what to do. */
export function listenError(what: 'HTTP' | 'gRPC' | 'peers', host: string, port: number, cause: unknown): ListenError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const errno = /\b(E[A-Z]{4,})\b/.exec(text)?.[1];
  return new ListenError(`${what} cannot listen on ${hostAndPort(host, port)}: ${reasonOf(errno, text)}`, cause);
}

function reasonOf(errno: string | undefined, text: string): string {
  switch (errno) {
    case 'EADDRINUSE':
      return 'the port is in use; stop who uses it or choose another port';
    case 'EACCES':
      return 'this user may not bind that port; choose one from 1024 on';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address; choose another host';
    case 'ENOTFOUND':
      return 'the host name is not known';
    default:
      return text;
  }
}
