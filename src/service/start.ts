/**
 * Starting the daemon: what the store and the host say becomes the first
 * state, then the sockets open, then what ran runs again.
 *
 * @module
 */
import { resolve } from "node:path";
import { decodeUnikernel } from "../codec/record.ts";
import { boot } from "../core/boot.ts";
import { describeHappening } from "../core/describe.ts";
import { type DaemonLimits, usualDaemonLimits } from "../core/limits.ts";
import type { TenderKind } from "../core/manifest.ts";
import { printName } from "../core/name.ts";
import { overheadsOf } from "../core/overhead.ts";
import { trialTime } from "../core/restart.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { RevocationRules } from "../core/revocation.ts";
import type { Effect } from "../core/state.ts";
import type { Activated } from "../host/activation.ts";
import { Ledger } from "../host/audit_ledger.ts";
import type { AuditLog } from "../host/audit_log.ts";
import { listBlocks } from "../host/block.ts";
import { prepareImages, sweepImages } from "../host/image.ts";
import { Launcher } from "../host/launcher.ts";
import { findLeft, foundOf, type Left } from "../host/left.ts";
import type { Log } from "../host/log.ts";
import { Preparer } from "../host/preparer.ts";
import { Runner } from "../host/runner.ts";
import type { UnixListener } from "../host/socket.ts";
import { prepareStateFolder } from "../host/state_folder.ts";
import { Sampler } from "../host/statistics.ts";
import { openStore, type Store } from "../host/store.ts";
import { Trials } from "../host/trials.ts";
import { AuditReaders } from "./audit.ts";
import { openAudit } from "./audit_start.ts";
import { Collectors } from "./collector.ts";
import { Consoles } from "./consoles.ts";
import { Daemon } from "./daemon.ts";
import { EventLog } from "./event_log.ts";
import { hostPolicy } from "./host_policy.ts";
import { listen, type StartError } from "./listen.ts";
import { type MetricsOptions, startMetrics } from "./metrics.ts";
import { Requests } from "./requests.ts";
import { Meter } from "./statistics.ts";
import { readStored } from "./stored.ts";

export interface DaemonOptions extends MetricsOptions {
  readonly tmpdir: string;
  readonly dbdir: string;
  readonly tenders: readonly TenderKind[];
  readonly allowTcg: boolean;
  /** Whether guests get users of their own. */
  readonly cage: boolean;
  /** The cgroup that guests' own are made in, below /sys/fs/cgroup; absent: its top. */
  readonly cgroup?: string;
  /** Whether policies count what tenders take besides their guests' memory; absent: they do not, as with albatross. */
  readonly chargeOverhead?: boolean;
  /** Milliseconds that a guest has to end after SIGTERM. */
  readonly grace: number;
  /** Milliseconds within which an end of what replaces another counts as a start that failed; absent: half a second. */
  readonly trial?: number;
  /** Whether `--name` tells a guest its label alone; absent: it does. */
  readonly dropPath?: boolean;
  /** Who may follow one console at once; absent: as many as in albatross. */
  readonly maxSubscribers?: number;
  /** Absent: the usual ones. */
  readonly limits?: DaemonLimits;
  /** Milliseconds from one measurement of the guests to the next; absent: ten seconds, as albatross. */
  readonly interval?: number;
  /** Absent: those of core/revocation. */
  readonly revocation?: RevocationRules;
  /** Bytes of the audit log that are kept; absent: a quarter of a gigabyte. */
  readonly auditSize?: number;
  /** Sockets that systemd opened for us; the others we open ourselves. */
  readonly activated?: readonly Activated[];
  readonly log: Log;
}

export interface RunningDaemon {
  /**
   * Closes everything and keeps what is stored.
   *
   * @param guests - whether they run on, for the next daemon to adopt, or end, for it to start again
   */
  stop(guests?: "leave" | "stop"): Promise<void>;
}

export async function startDaemon(words: DaemonOptions): Promise<Result<RunningDaemon, StartError>> {
  const options = { ...words, tmpdir: resolve(words.tmpdir), dbdir: resolve(words.dbdir) };
  const { dbdir, cage } = options;
  const folder = await prepareStateFolder(dbdir, cage);
  if (!folder.ok) return err({ step: "making the state folder", error: folder.error });
  const store = await openStore(dbdir);
  if (!store.ok) return err({ step: "opening the store", error: store.error });
  const daemon = await serve(options, store.value);
  if (!daemon.ok) await store.value.close();
  return daemon;
}

/** The sockets first of all: whoever has them already is a daemon whose guests are none of ours. */
async function serve(options: DaemonOptions, store: Store): Promise<Result<RunningDaemon, StartError>> {
  let open: (daemon: Daemon) => void = () => undefined;
  const ready = new Promise<Daemon>((done) => {
    open = done;
  });
  const sockets = await listen({ ...options, most: limitsOf(options).connections }, ready);
  if (!sockets.ok) return sockets;
  const running = await begin(options, store, sockets.value, open);
  if (!running.ok) await Promise.all(sockets.value.map((socket) => socket.close()));
  return running;
}

/** @param open - serves who has connected, and who will */
async function begin(
  options: DaemonOptions,
  store: Store,
  sockets: readonly UnixListener[],
  open: (daemon: Daemon) => void,
): Promise<Result<RunningDaemon, StartError>> {
  const { dbdir, tmpdir, log } = options;
  const blocks = await listBlocks(dbdir);
  if (!blocks.ok) return err({ step: "listing the block devices", error: blocks.error });
  if (blocks.value.ignored.length > 0) log.warn({ files: blocks.value.ignored }, "no block devices");
  const host = await hostPolicy(dbdir, blocks.value.occupied);
  if (!host.ok) return err({ step: "listing the bridges", error: host.error });
  const left = await findLeft(tmpdir);
  if (!left.ok) return err({ step: "looking for guests of an earlier daemon", error: left.error });
  const stored = { ...readStored(store, log), blocks: blocks.value.devices };
  const charged = options.chargeOverhead === true ? { ...stored, overheads: overheadsOf(options.tenders) } : stored;
  const first = boot(host.value, charged, left.value.map(foundOf), options.revocation, limitsOf(options));
  const audit = await openAudit(options, store);
  if (!audit.ok) return err({ step: "reading the key of the audit log", error: audit.error });
  const { runner, requests, daemon, launcher, meter, sampler } = assemble(
    options,
    store,
    audit.value.log,
    first.state,
    left.value,
  );
  const metrics = await startMetrics(meter, sampler.units.pageSize, options, log);
  if (!metrics.ok) return err({ step: "serving the metrics", error: metrics.error });
  await prepareHost(dbdir, store, launcher, log);
  await audit.value.begin(() => runner.flush());
  await runner.perform(first.before);
  meter.start(options.interval ?? defaultInterval);
  open(daemon);
  const rechecking = setInterval(() => daemon.chain.recheck(), recheckInterval).unref();
  const started = runner.perform(first.effects).catch((error: unknown) => log.fatal({ err: error }, "bug"));
  log.info({ policy: host.value, unikernels: stored.unikernels.length, found: left.value.length }, "serving");
  return ok({
    stop: async (guests = "leave") => {
      meter.close();
      clearInterval(rechecking);
      for (const socket of sockets) socket.stop();
      if (await runner.stop(guests, options.grace)) await requests.abandon();
      await Promise.all([...sockets, metrics.value].map((socket) => socket.close()));
      audit.value.log.close();
      await runner.close();
      await started;
    },
  });
}

/** The parts of a daemon that its start and stop deal with. */
interface Assembled {
  readonly runner: Runner;
  readonly requests: Requests;
  readonly daemon: Daemon;
  readonly launcher: Launcher;
  readonly meter: Meter;
  readonly sampler: Sampler;
}

function assemble(
  options: DaemonOptions,
  store: Store,
  audit: AuditLog,
  state: Runner["state"],
  left: readonly Left[],
): Assembled {
  const { dbdir, tmpdir, tenders, allowTcg, cage, grace, dropPath = true, log, cgroup } = options;
  const limits = limitsOf(options);
  const consoles = new Consoles(limits, options.maxSubscribers);
  const events = new EventLog(limits.watchers);
  const sampler = new Sampler();
  const meter = new Meter(sampler, log, limits["statistics-subscribers"]);
  const collectors = new Collectors(log);
  const launcher = new Launcher(left, {
    ...{ dbdir, tmpdir, cage, grace, dropPath, log },
    ...(cgroup === undefined ? {} : { cgroup }),
    output: (name, bytes) => consoles.output(name, bytes, Date.now()),
    opened: (name) => consoles.activate(name),
    started: (name, target) => {
      meter.watch(name, target);
      collectors.started(name, target);
    },
    ended: (name, target) => {
      meter.forget(name, target);
      collectors.ended(name);
    },
  });
  const preparer = new Preparer(dbdir, { dbdir, offered: tenders, allowTcg, caged: cage }, limits);
  const requests = new Requests(() => runner, limits, audit, log);
  const runner: Runner = new Runner(
    {
      dbdir,
      ratio: limits.ratio,
      store,
      preparer,
      launcher,
      log,
      trials: new Trials(options.trial ?? trialTime, consoles, launcher),
      ledger: new Ledger(audit, (client) => requests.asked(client)),
      reply: (client, reply) => requests.reply(client, reply),
      upload: (client) => requests.upload(client),
      download: (effect, content) => requests.download(effect, content),
      sendImage: (client, open) => requests.sendImage(client, open),
      tell: (effect) => tell(consoles, events, log, effect),
      gone: (name) => consoles.deactivate(name),
      recheck: () => daemon.chain.recheck(),
    },
    state,
  );
  const readers = new AuditReaders(audit, () => runner.flush());
  const daemon = new Daemon(() => runner, { requests, consoles, events, meter, collectors, audit, readers }, limits);
  return { runner, requests, daemon, launcher, meter, sampler };
}

/** Leaves of what an earlier daemon had only what is stored, and what its guests have. */
async function prepareHost(dbdir: string, store: Store, launcher: Launcher, log: Log): Promise<void> {
  await prepareImages(dbdir);
  const records = store.load("unikernel").map(({ value }) => decodeUnikernel(value));
  const readable = records.flatMap((record) => (record.ok ? [record.value.digest] : []));
  // The image of a record that cannot be read may be any.
  if (readable.length === records.length) await sweepImages(dbdir, readable);
  else log.warn({ unreadable: records.length - readable.length }, "images that nothing needs are left where they are");
  for (const fault of await launcher.prepare()) log.warn({ fault }, "a device of the host is not as guests need it");
  await launcher.prepareCells();
}

function tell(
  consoles: Consoles,
  events: EventLog,
  log: Log,
  { name, happening }: Extract<Effect, { kind: "tell" }>,
): void {
  const now = Date.now();
  log.info({ target: printName(name), happening }, "happened");
  events.tell(name, now, happening);
  if (happening.kind === "ended") consoles.note(name, `fulmar: ${describeHappening(happening)}`, now);
}

function limitsOf({ limits = usualDaemonLimits }: DaemonOptions): DaemonLimits {
  return limits;
}

const defaultInterval = 10_000;

/** Milliseconds: so long after a revocation list has become stale, whoever is still connected goes. */
const recheckInterval = 60_000;
