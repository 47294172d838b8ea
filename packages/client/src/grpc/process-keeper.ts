/**
 * A way to keep the process from ending: each call of the returned function does, until the function it gives is called;
 * one at a time. Timers of the clock port do not, on purpose; but a program that awaits a call while no connection
 * stands must not end in the middle of it. A message port with a listener is the lightest handle that does so without a
 * timer; it is made once, because making one costs more than a call.
 */
export function createProcessKeeper(): () => () => void {
  let port: InstanceType<typeof MessageChannel>['port1'] | undefined;
  const release = () => port?.unref();
  return () => {
    if (port === undefined) {
      port = new MessageChannel().port1;
      port.on('message', () => {});
    }
    port.ref();
    return release;
  };
}
