/**
 * The shim: what stands between the daemon and a tender, so that the tender
 * neither dies nor loses its exit status when the daemon does.
 *
 * It starts the tender, tells its pid, waits, and records how it ended. The
 * console is opened by the tender's side of the fork alone, for reading and
 * writing: then the tender never sees a closed pipe, and to kill the shim stops
 * no guest. Signals are ignored after the fork, as an ignored one is inherited.
 *
 * @module
 */

/** POSIX sh, run with `sh -c`, a name, then: console FIFO, pid file, exit file, the tender's argv. Reports on descriptor 3. */
export const shim = `
fifo=$1 pids=$2 exits=$3
shift 3
umask 077
cd /
ulimit -c 0
exec 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
{ echo 0 >/proc/self/oom_score_adj; } 2>/dev/null
{ exec "$@"; } </dev/null 1<>"$fifo" 2>&1 3>&- &
pid=$!
trap '' HUP INT QUIT PIPE
read -r stat </proc/$pid/stat
read -r boot </proc/sys/kernel/random/boot_id
set -- \${stat##*) }
start=\${20}
if printf '%s %s %s\\n' "$pid" "$start" "$boot" >"$pids.new" && mv -f "$pids.new" "$pids"
then printf '%s %s\\n' "$pid" "$start" >&3
else kill -KILL "$pid"
fi
exec 3>&-
wait "$pid"
status=$?
printf '%s %s %s\\n' "$pid" "$start" "$status" >"$exits.new" && mv -f "$exits.new" "$exits"
`;
