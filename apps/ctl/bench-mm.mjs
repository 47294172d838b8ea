import { createClient } from '@shanghai/client';
import * as g from '@shanghai/client/grpc';
const [endpoint, mode, inFlight, seconds] = process.argv.slice(2);
const client = (g.connect ?? createClient)({ endpoints: [endpoint] });
const name = `bench-${mode}-${Date.now() % 100000}`;
await client.log.create(name, { mode });
const value = Buffer.alloc(128, 'x');
let done = 0; const end = Date.now() + Number(seconds) * 1000;
async function worker() { while (Date.now() < end) { await client.log.append(name, value); done++; } }
const t = Date.now(); const c = process.cpuUsage();
await Promise.all(Array.from({ length: Number(inFlight) }, worker));
console.log(mode, endpoint, Math.round(done / ((Date.now() - t) / 1000)), 'appends/s');
await client.close();
