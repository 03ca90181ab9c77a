/**
 * The two kinds of handshake: with certificates of any size that TLS can carry,
 * for few at once, and with small ones for all others.
 *
 * @module
 */
import { err, ok, type Result } from "../core/result.ts";
import { loadOpenssl, type OpensslError } from "./openssl.ts";
import { largeCertificates, smallCertificates } from "./tls_limits.ts";
import { type SelfTestError, testPresented } from "./tls_self_test.ts";
import { type CredentialsError, createContext, type TlsContext } from "./tls_socket.ts";

export interface TlsContexts {
  readonly small: TlsContext;
  /** Or why there is none. */
  readonly large: Result<TlsContext, OpensslError>;
}

/** Both have shown a test's certificates as they were sent, the large one those with an image in them. */
export async function prepareContexts(
  chain: string,
  key: string,
): Promise<Result<TlsContexts, CredentialsError | SelfTestError>> {
  const tuned = await prepareTuned(chain, key);
  if (tuned.ok) return ok({ small: tuned.value.small, large: ok(tuned.value.large) });
  const small = createContext(chain, key);
  if (!small.ok) return small;
  const tested = await testPresented(small.value);
  return tested.ok ? ok({ small: small.value, large: tuned }) : tested;
}

async function prepareTuned(
  chain: string,
  key: string,
): Promise<Result<Record<"small" | "large", TlsContext>, OpensslError>> {
  const openssl = loadOpenssl();
  if (!openssl.ok) return openssl;
  const small = createContext(chain, key, { openssl: openssl.value, limit: smallCertificates });
  const large = createContext(chain, key, { openssl: openssl.value, limit: largeCertificates });
  // Whatever is wrong with the credentials is found again without koffi, and said then.
  if (!small.ok || !large.ok) return outOfReach("the credentials are of no use");
  const tests = await Promise.all([testPresented(small.value), testPresented(large.value, testWeight)]);
  if (!tests.every(({ ok: passed }) => passed)) return outOfReach("a large certificate did not arrive");
  return ok({ small: small.value, large: large.value });
}

function outOfReach(problem: string): Result<never, OpensslError> {
  return err({ kind: "openssl-out-of-reach", problem });
}

/** Bytes in the test's leaf: beyond what OpenSSL takes by itself. */
const testWeight: number = 2 * smallCertificates;
