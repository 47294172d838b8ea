import { credentials, type ClientOptions as GrpcClientOptions } from '@grpc/grpc-js';
import { InternalClient, KeyValueClient, LogClient } from '@shanghai/proto';

/** The services of one node over one connection. */
export interface LeaderChannel {
  readonly keyValue: KeyValueClient;
  readonly log: LogClient;
  readonly internal: InternalClient;
  /** Calls under way; the owner counts them. */
  calls: number;
}

/** A node leads for long, and clusters are small: more than a few channels are addresses of the past. */
const maxChannels = 8;

const channelOptions: GrpcClientOptions = {
  // A write that was sent must not be sent again behind our back.
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // A leader that stopped, or was stopped, is noticed in some seconds; asked only while calls are under way.
  'grpc.keepalive_time_ms': 2_000,
  'grpc.keepalive_timeout_ms': 3_000,
};

/** Channels to nodes by address, made when first asked for; of those that are idle the one used longest ago makes room. */
export class LeaderChannels {
  readonly #channels = new Map<string, LeaderChannel>();

  /** The channel to an address. */
  to(address: string): LeaderChannel {
    const known = this.#channels.get(address);
    if (known !== undefined) {
      this.#channels.delete(address);
      this.#channels.set(address, known);
      return known;
    }
    this.#makeRoom();
    const keyValue = new KeyValueClient(address, credentials.createInsecure(), channelOptions);
    const shared = { channelOverride: keyValue.getChannel() };
    const made: LeaderChannel = {
      keyValue,
      log: new LogClient(address, credentials.createInsecure(), shared),
      internal: new InternalClient(address, credentials.createInsecure(), shared),
      calls: 0,
    };
    this.#channels.set(address, made);
    return made;
  }

  /** Closes all. Idempotent. */
  close(): void {
    for (const { keyValue } of this.#channels.values()) keyValue.close();
    this.#channels.clear();
  }

  #makeRoom(): void {
    for (const [address, channel] of this.#channels) {
      if (this.#channels.size < maxChannels) return;
      if (channel.calls > 0) continue;
      channel.keyValue.close();
      this.#channels.delete(address);
    }
  }
}
