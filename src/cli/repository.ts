/**
 * A repository of images that runs builder-web: which build an image is of,
 * which build is the latest, and a build's image.
 *
 * @module
 */
import { describeCode } from "../client/describe.ts";
import { err, ok, type Result } from "../core/result.ts";
import { getHttp, type HttpError, type HttpLimits, type HttpReply, type HttpTarget } from "../host/client_http.ts";
import { escapeText } from "./escape.ts";
import { type Failure, failure } from "./failure.ts";

/** One build of one job, as a repository's addresses name them. */
export interface Build {
  /** Percent-encoded. */
  readonly job: string;
  readonly uuid: string;
}

/** The repository of `--http-host`. */
export interface Repository {
  /** Without a slash at its end. */
  readonly url: string;
  readonly target: Omit<HttpTarget, "path">;
  /** What all paths begin with. */
  readonly prefix: string;
}

/** Undefined for anything but a plain `http:` or `https:` address. */
export function parseRepository(text: string): Repository | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") return undefined;
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const prefix = url.pathname.replace(/\/+$/, "");
  return { url: `${url.origin}${prefix}`, target: { secure, host, port }, prefix };
}

/** The build that an image came from. */
export function findBuild(repository: Repository, digest: Uint8Array): Promise<Result<Build, Failure>> {
  return redirection(repository, `/hash?sha256=${Buffer.from(digest).toString("hex")}`);
}

/** The job's latest build. */
export async function findLatest(repository: Repository, { job }: Build): Promise<Result<Build, Failure>> {
  const path = `/job/${job}/build/latest`;
  const latest = await redirection(repository, path);
  if (!latest.ok || latest.value.job === job) return latest;
  return err(failure("http", `${repository.url}${path} leads to another job, ${latest.value.job}`));
}

/** A page that shows how the two differ. */
export function compareUrl(repository: Repository, old: Build, latest: Build): string {
  return `${repository.url}/compare/${old.uuid}/${latest.uuid}`;
}

export async function download(repository: Repository, { job, uuid }: Build): Promise<Result<Uint8Array, Failure>> {
  const path = `/job/${job}/build/${uuid}/main-binary`;
  const reply = await ask(repository, path, imageLimits);
  if (!reply.ok) return reply;
  const { status, body } = reply.value;
  if (status < 200 || status > 299) return err(unexpected(repository, path, reply.value));
  return body.length === 0 ? err(failure("http", `${repository.url}${path} is empty`)) : ok(body);
}

/** The build that a path redirects to; followed no further. */
async function redirection(repository: Repository, path: string): Promise<Result<Build, Failure>> {
  const reply = await ask(repository, path, pageLimits);
  if (!reply.ok) return reply;
  const { status, location } = reply.value;
  if (status < 300 || status > 399) return err(unexpected(repository, path, reply.value));
  const build = parseLocation(location ?? "");
  if (build !== undefined) return ok(build);
  const where = location === undefined ? "nowhere" : `'${escapeText(location.slice(0, 200))}'`;
  return err(failure("http", `${repository.url}${path} leads to ${where}, not to a build`, builderHint));
}

async function ask(repository: Repository, path: string, limits: HttpLimits): Promise<Result<HttpReply, Failure>> {
  const reply = await getHttp({ ...repository.target, path: `${repository.prefix}${path}` }, limits);
  return reply.ok ? reply : err(failure("http", `${repository.url}${path}: ${describeHttp(reply.error)}`));
}

/** Exactly `/job/<job>/build/<uuid>`, perhaps with a slash at its end. */
function parseLocation(location: string): Build | undefined {
  const [, job = ".", uuid = ""] = location.match(buildPath) ?? [];
  // A job of dots would, somewhere on the way, be taken for a step between folders.
  return /^(\.|%2e){1,2}$/i.test(job) ? undefined : { job, uuid: uuid.toLowerCase() };
}

function unexpected(repository: Repository, path: string, { status, location }: HttpReply): Failure {
  const unknown = status === 404 && path.startsWith("/hash");
  const hint = unknown ? "the image that runs was not built there; --http-host names another repository" : undefined;
  const where = location === undefined ? "" : ` to '${escapeText(location.slice(0, 200))}'`;
  return failure("http", `${repository.url}${path}: HTTP status ${status}${where}`, hint);
}

function describeHttp(error: HttpError): string {
  switch (error.kind) {
    case "http-unreachable":
      return `no connection: ${describeCode(error.code)}`;
    case "http-broken":
      return `the answer broke off: ${describeCode(error.code)}`;
    case "http-silent":
      return `no answer within ${error.milliseconds / 1000} seconds`;
    case "http-too-large":
      return `more than ${error.limit / 1024 / 1024} MiB`;
    case "http-encoded":
      return `the answer is encoded as '${escapeText(error.encoding)}', which was not asked for`;
  }
}

/** A job's segment is RFC 3986's pchar; the uuid is RFC 9562's, in hexadecimal. */
const buildPath =
  /^\/job\/((?:[\w.~!$&'()*+,;=:@-]|%[0-9a-f]{2})+)\/build\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/?$/i;

const builderHint = "--http-host must be a repository that runs builder-web";

/** Of a redirect nothing but the head is read. */
const pageLimits: HttpLimits = { size: 64 * 1024, time: 30_000 };

/** Of an image: far more than any Solo5 image so far, and less than a local frame may hold. */
const imageLimits: HttpLimits = { size: 256 * 1024 * 1024, time: 600_000 };
