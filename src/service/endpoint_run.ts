/**
 * The endpoint as a program: one process or several, on a port of its own, on a
 * socket that systemd opened, or for the one connection that inetd did.
 *
 * @module
 */
import type { EndpointLimits } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import { isRoot, takeActivated } from "../host/activation.ts";
import type { Given, TlsServer } from "../host/tls.ts";
import { tlsLimitsOf } from "../host/tls_limits.ts";
import { inheritedListener, isWorker, startWorkers, type WorkersError } from "../host/tls_workers.ts";
import { type EndpointError, type EndpointOptions, startEndpoint } from "./endpoint.ts";

export interface RunOptions extends Omit<EndpointOptions, "given" | "limits"> {
  readonly limits: EndpointLimits;
  readonly workers: number;
  readonly inetd: boolean;
  readonly systemdSocketActivation: boolean;
  /** Whether root may do this. */
  readonly allowRoot: boolean;
}

export type RunError =
  | EndpointError
  | { readonly kind: "root" }
  | WorkersError
  /** systemd gave none, or more than one. */
  | { readonly kind: "activation"; readonly count: number };

export async function runEndpoint(options: RunOptions): Promise<Result<TlsServer, RunError>> {
  const { workers, log } = options;
  if (isRoot() && !options.allowRoot) return err({ kind: "root" });
  const given = findGiven(options);
  if (!given.ok) return given;
  if (workers > 1 && !isWorker) return startWorkers(workers, given.value, log);
  const limits = tlsLimitsOf(options.limits);
  const { large, heavy } = limits;
  // Memory is the machine's, whichever worker takes it.
  const shared = { ...limits, large: share(large, workers), heavy: share(heavy, workers) };
  return startEndpoint({ ...options, limits: shared, ...(given.value === undefined ? {} : { given: given.value }) });
}

function findGiven({ inetd, systemdSocketActivation }: RunOptions): Result<Given | undefined, RunError> {
  if (inetd) return ok({ kind: "connection", fd: 0 });
  if (!systemdSocketActivation || isWorker) return ok(inheritedListener());
  const activated = takeActivated(process.env, process.pid);
  const [only] = activated;
  if (only === undefined || activated.length > 1) return err({ kind: "activation", count: activated.length });
  return ok({ kind: "listener", fd: only.fd });
}

function share(total: number, workers: number): number {
  return total === 0 ? 0 : Math.max(1, Math.floor(total / workers));
}
