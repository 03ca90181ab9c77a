/**
 * Statistics for those who store them: pushed in InfluxDB's line protocol,
 * fetched as Prometheus' text.
 *
 * @module
 */
import { encodeInflux } from "../codec/influx.ts";
import { encodePrometheus } from "../codec/prometheus.ts";
import type { Named } from "../core/command.ts";
import { type Name, printName } from "../core/name.ts";
import { ok, type Result } from "../core/result.ts";
import type { Statistics } from "../core/statistics.ts";
import { InfluxSender, type Receiver } from "../host/influx_sender.ts";
import type { Log } from "../host/log.ts";
import { type MetricsAddress, serveMetrics } from "../host/metrics_server.ts";
import type { ListenError, Listener } from "../host/socket.ts";
import type { Meter } from "./statistics.ts";

export interface MetricsOptions {
  readonly influx?: Receiver;
  /** Whether lines say `alice:web`, where albatross-influx says `web` unless told otherwise. */
  readonly influxFullNames?: boolean;
  readonly metrics?: MetricsAddress;
}

/**
 * Sends and serves what the meter measures from now on.
 *
 * @param pageSize - of memory, bytes
 */
export async function startMetrics(
  meter: Meter,
  pageSize: bigint,
  options: MetricsOptions,
  log: Log,
): Promise<Result<Listener, ListenError>> {
  let served: Listener | undefined;
  if (options.metrics !== undefined) {
    let latest: readonly Named<Statistics>[] = [];
    const page = (): string =>
      encodePrometheus(
        latest.filter(({ name }) => meter.watches(name)),
        pageSize,
      );
    const listener = await serveMetrics(options.metrics, page);
    if (!listener.ok) return listener;
    served = listener.value;
    meter.addSink((samples) => {
      latest = samples;
    });
  }
  const sender = options.influx && new InfluxSender(options.influx, log);
  if (sender !== undefined) {
    const print = options.influxFullNames === true ? printName : lastLabel;
    meter.addSink((samples) => {
      const now = Date.now();
      sender.send(samples.map(({ name, value }) => encodeInflux(print(name), value, now)).join(""));
    });
  }
  return ok({
    close: async () => {
      sender?.close();
      await served?.close();
    },
  });
}

function lastLabel(name: Name): string {
  return name.label ?? printName(name);
}
