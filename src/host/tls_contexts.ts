/**
 * The two kinds of handshake: with certificates of any size that TLS can carry,
 * for few at once, and with small ones for all others.
 *
 * @module
 */
import { opensslCertificates } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import { loadOpenssl, type OpensslError } from "./openssl.ts";
import type { TlsLimits } from "./tls_limits.ts";
import { type SelfTestError, testPresented } from "./tls_self_test.ts";
import { type CredentialsError, createContext, type TlsContext } from "./tls_socket.ts";

export interface TlsContexts {
  readonly small: TlsContext;
  /** Or why there is none. */
  readonly large: Result<TlsContext, OpensslError>;
}

/** How much certificates may be, bytes. */
type Sizes = Pick<TlsLimits, "smallCertificates" | "largeCertificates">;

/**
 * Both have shown a test's certificates as they were sent, the large one those with an image in them.
 *
 * The error `openssl-out-of-reach`: the size of small certificates is not OpenSSL's own, and cannot be set.
 */
export async function prepareContexts(
  chain: string,
  key: string,
  sizes: Sizes,
): Promise<Result<TlsContexts, CredentialsError | SelfTestError | OpensslError>> {
  const tuned = await prepareTuned(chain, key, sizes);
  if (tuned.ok) return ok({ small: tuned.value.small, large: ok(tuned.value.large) });
  const small = createContext(chain, key);
  if (!small.ok) return small;
  if (sizes.smallCertificates !== opensslCertificates) return tuned;
  const tested = await testPresented(small.value);
  return tested.ok ? ok({ small: small.value, large: tuned }) : tested;
}

async function prepareTuned(
  chain: string,
  key: string,
  { smallCertificates, largeCertificates }: Sizes,
): Promise<Result<Record<"small" | "large", TlsContext>, OpensslError>> {
  const openssl = loadOpenssl();
  if (!openssl.ok) return openssl;
  const small = createContext(chain, key, { openssl: openssl.value, limit: smallCertificates });
  const large = createContext(chain, key, { openssl: openssl.value, limit: largeCertificates });
  // Whatever is wrong with the credentials is found again without koffi, and said then.
  if (!small.ok || !large.ok) return outOfReach("the credentials are of no use");
  const tests = await Promise.all([testPresented(small.value), testPresented(large.value, smallCertificates)]);
  if (!tests.every(({ ok: passed }) => passed)) return outOfReach("a large certificate did not arrive");
  return ok({ small: small.value, large: large.value });
}

function outOfReach(problem: string): Result<never, OpensslError> {
  return err({ kind: "openssl-out-of-reach", problem });
}
