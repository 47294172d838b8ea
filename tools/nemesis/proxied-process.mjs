// Loaded into a node of a test by `NODE_OPTIONS=--import`. Connections to ports named in NEMESIS_PORTS (JSON:
// port to port) go to others, so that each node has ways of its own to each other one; and the wall clock is off by as
// many milliseconds as the file NEMESIS_CLOCK says, looked at ten times a second.
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';

const ports = JSON.parse(process.env.NEMESIS_PORTS ?? '{}');
const connect = Socket.prototype.connect;
Socket.prototype.connect = function connectElsewhere(...args) {
  const [first] = args;
  // `net.connect` hands over its arguments as one array.
  const options = Array.isArray(first) ? first[0] : first;
  const other = ports[options?.port];
  if (other === undefined) return connect.apply(this, args);
  const changed = { ...options, port: other };
  if (!Array.isArray(first)) return connect.call(this, changed, ...args.slice(1));
  // The array carries a mark by which Node tells it from plain arguments.
  first[0] = changed;
  return connect.apply(this, args);
};

const clockFile = process.env.NEMESIS_CLOCK;
if (clockFile !== undefined) {
  const trueNow = Date.now;
  const TrueDate = Date;
  let byMs = 0;
  const look = () => {
    try {
      byMs = Number(readFileSync(clockFile, 'utf8')) || 0;
    } catch {
      byMs = 0;
    }
  };
  look();
  setInterval(look, 100).unref();
  globalThis.Date = class extends TrueDate {
    constructor(...args) {
      if (args.length === 0) super(trueNow() + byMs);
      else super(...args);
    }

    static now() {
      return trueNow() + byMs;
    }
  };
}
