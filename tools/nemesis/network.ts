/** Between the nodes, and between them and the clients, something that can be closed. */
import type { Link } from './cut-links.js';

/** The clients' side in a `Link`. */
export const clientSide = 0;

/** Where a node listens, as all others are told. */
export interface NodeAddress {
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly peerPort: number;
}

/** How a program is started so that it lives in a node's place of the network. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** More variables of its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** A network of `nodes` places, numbered from 1. */
export interface Network {
  /** In a few words, for people. */
  readonly description: string;
  /** Where a node listens. */
  addressOf(node: number): NodeAddress;
  /** Where clients reach it. */
  clientAddressOf(node: number): { readonly http: string; readonly grpc: string };
  launch(node: number, program: readonly string[]): Launch;
  /** Closes ways for good, until they are opened. Closing twice is closing. */
  close(links: readonly Link[]): Promise<void>;
  /** Opens ways. */
  open(links: readonly Link[]): Promise<void>;
  /** Everything to and from a node takes long. */
  slow(node: number): Promise<void>;
  /** As it was. */
  fast(node: number): Promise<void>;
  /** Removes it. Idempotent. */
  remove(): Promise<void>;
}
