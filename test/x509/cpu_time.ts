/** Milliseconds of CPU that `work` takes: the least of three rounds, as the process has other things to do, too. */
export function cpuTime(work: () => void): number {
  const times = Array.from({ length: 3 }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}
