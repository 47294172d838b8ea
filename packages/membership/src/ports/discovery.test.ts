import { describe, expect, it } from 'vitest';
import { dnsDiscovery, staticDiscovery } from './discovery.js';

const lookup = async (hostname: string) => {
  const known: Readonly<Record<string, string[]>> = { one: ['10.0.0.1', '10.0.0.2'], six: ['fd00::1'] };
  const found = known[hostname];
  if (found === undefined) throw new Error(`no ${hostname}`);
  return found;
};

describe('discovery', () => {
  it('by a list gives the list', async () => {
    expect(await staticDiscovery(['a:1', 'b:2']).addresses()).toEqual(['a:1', 'b:2']);
  });

  it('by names gives all addresses of those that are known, none twice', async () => {
    const found = await dnsDiscovery(['one:9190', 'six:9190', 'none:9190', 'one:9190'], lookup).addresses();
    expect(found).toEqual(['10.0.0.1:9190', '10.0.0.2:9190', '[fd00::1]:9190']);
  });

  it('by names of which none is known fails, and does not make a node the first', async () => {
    await expect(dnsDiscovery(['none:9190'], lookup).addresses()).rejects.toThrow(/no none/);
  });

  it('wants a name and a port', () => {
    for (const name of ['one', 'one:', ':9190', 'one:0', 'one:99999']) {
      expect(() => dnsDiscovery([name], lookup)).toThrow(`'${name}' is no name:port`);
    }
  });
});
