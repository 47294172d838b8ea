/**
 * Keeps the process from ending until the returned function is called. Timers of the clock port do not, on purpose; but
 * a program that awaits a call while no connection stands must not end in the middle of it. A message port with a
 * listener is the lightest handle that does so without a timer.
 */
export function keepProcessAlive(): () => void {
  const { port1, port2 } = new MessageChannel();
  port1.on('message', () => {});
  return () => {
    port1.close();
    port2.close();
  };
}
