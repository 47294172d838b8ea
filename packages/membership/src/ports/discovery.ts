/** Says where other members may be found. Asked at the start until it answers, and again while nobody is heard from. */
export interface Discovery {
  /**
   * `host:port` of some; empty: there is nobody, so that a node which asked at its start is the first. Rejects where it
   * cannot say.
   */
  addresses(): Promise<readonly string[]>;
}

/** The addresses of a list. */
export function staticDiscovery(addresses: readonly string[]): Discovery {
  return { addresses: async () => addresses };
}

/** Finds the IPv4 and IPv6 addresses of a host name, without ports; rejects where the name is not known. As `node:dns/promises` does. */
export type HostLookup = (hostname: string) => Promise<readonly string[]>;

interface NamedPlace {
  readonly hostname: string;
  readonly port: number;
}

/**
 * The members behind names as `cluster.example.org:9190`: all addresses that the names have. Rejects where none of the
 * names is known: a name service that is not there does not make a node the first of a cluster. Throws `TypeError` for
 * what is no name and port.
 */
export function dnsDiscovery(names: readonly string[], lookup: HostLookup): Discovery {
  const places = names.map(namedPlace);
  return {
    addresses: async () => {
      const found = await Promise.allSettled(places.map((place) => addressesOf(place, lookup)));
      const failed = found.filter(({ status }) => status === 'rejected');
      if (failed.length === found.length && found[0]?.status === 'rejected') throw found[0].reason;
      return [...new Set(found.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])))];
    },
  };
}

function namedPlace(name: string): NamedPlace {
  const at = name.lastIndexOf(':');
  const port = Number(name.slice(at + 1));
  if (at < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) throw new TypeError(`'${name}' is no name:port`);
  return { hostname: name.slice(0, at), port };
}

async function addressesOf({ hostname, port }: NamedPlace, lookup: HostLookup): Promise<string[]> {
  const found = await lookup(hostname);
  return found.map((address) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`));
}
