/**
 * The shim: what stands between the daemon and a tender, so that the tender
 * neither dies nor loses its exit status when the daemon does.
 *
 * It forks, waits for what it forked, and records how that ended. The forked side
 * goes into its cage, writes down who it is, tells that, and becomes the tender:
 * none ever runs without a record. The console is opened on that side alone, for
 * reading and writing: then the tender never sees a closed pipe, and to kill the
 * shim stops no guest. Where guests have cgroups the shims have one together, so
 * that they are not among the daemon's processes, nor in the way of a guest's end.
 *
 * Where the shim was given a PID namespace for its children, the tender is the
 * first process in it, and with its end nothing can be forked into it any more:
 * the last program is run in the shim's own place. /proc stays the host's, and so
 * do the pids.
 *
 * @module
 */

/** The cgroup of the shims, beside the guests', whose names are others (see file_name). */
export const shimGroup = "shims";

/**
 * POSIX sh, run with `sh -c`, a name, then: console FIFO, pid file, exit file, table of mounts, cgroup (the last two may
 * be empty), the tender's argv. Reports on descriptor 3: pid and start time, or 0 and what it could not enter.
 */
export const shim: string = `
fifo=$1 pids=$2 exits=$3 mounts=$4 cgroup=$5
shift 5
umask 077
ulimit -c 0
exec 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
join() { { echo 0 >"$1/cgroup.procs"; } 2>/dev/null || { echo 0 cgroup >&3; exit 126; }; }
[ -z "$cgroup" ] || join "\${cgroup%/*}/${shimGroup}"
{ echo 0 >/proc/self/oom_score_adj; } 2>/dev/null
birth() { start=\${20}; }
enter() {
  [ -z "$cgroup" ] || join "$cgroup"
  [ -z "$mounts" ] || mount --all --fstab "$mounts" >/dev/null 2>&1 || { echo 0 mounts >&3; exit 126; }
  read -r stat </proc/self/stat
  read -r boot </proc/sys/kernel/random/boot_id
  birth \${stat##*) }
  printf '%s %s %s\\n' "\${stat%% *}" "$start" "$boot" >"$pids.new" && mv -f "$pids.new" "$pids" || exit 126
  trap '' PIPE
  printf '%s %s\\n' "\${stat%% *}" "$start" >&3 2>/dev/null
  trap - PIPE
}
{ enter; exec "$@" 3>&-; } </dev/null 1<>"$fifo" 2>&1 &
pid=$!
trap '' HUP INT QUIT PIPE
exec 3>&-
read -r stat </proc/$pid/stat
birth \${stat##*) }
wait "$pid"
status=$? why=
[ "$status" != 137 ] || [ -z "$cgroup" ] || while read -r event count; do
  [ "$event" != oom_kill ] || [ "$count" = 0 ] || why=' oom'
done <"$cgroup/memory.events"
printf '%s %s %s%s\\n' "$pid" "$start" "$status" "$why" >"$exits.new" && exec mv -f "$exits.new" "$exits"
`;
