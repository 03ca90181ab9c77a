import { expect, test } from "vitest";
import { createLog } from "../../src/host/log.ts";
import { type EndpointError, startEndpoint } from "../../src/service/endpoint.ts";
import { describeRunError } from "../../src/service/endpoint_describe.ts";

const log = createLog("test", 0, { write: () => undefined });
const certs = new URL("../../certs/", import.meta.url).pathname;
const development = { ca: `${certs}cacert.pem`, cert: `${certs}server.pem`, key: `${certs}server.key` };
const place = { tmpdir: "nowhere", port: 0, log };

async function refusal(options: Parameters<typeof startEndpoint>[0]): Promise<EndpointError> {
  const started = await startEndpoint(options);
  if (!started.ok) return started.error;
  await started.value.close(0);
  throw new Error("it serves");
}

test.for(["::", "0.0.0.0", "192.0.2.1"])("the development authority is refused on %s", async (host) => {
  const error = await refusal({ ...place, ...development, host });
  expect(error).toEqual({ kind: "not-local", host });
  expect(describeRunError(error)).toMatch(/for this machine alone/);
});

test("the development authority is served on loopback", async () => {
  const started = await startEndpoint({ ...place, ...development, host: "127.0.0.1" });
  expect(started.ok && started.value.port).toBeGreaterThan(0);
  if (started.ok) await started.value.close(0);
});

test.for([
  [{ key: `${certs}missing.key` }, /missing\.key cannot be read: there is no such file$/],
  [{ key: `${certs}bob.key` }, /^the key does not belong to the certificate$/],
  [{ key: `${certs}bob.pem` }, /bob\.pem: there is no private key in it$/],
  [{ cert: `${certs}bob.key` }, /bob\.key: there is no CERTIFICATE in it$/],
  [{ ca: `${certs}bob.pem` }, /bob\.pem has 2 certificates, the authority must be one$/],
] as const)("startEndpoint refuses %j in words", async ([wrong, words]) => {
  const error = await refusal({ ...place, ...development, ...wrong, host: "127.0.0.1" });
  expect(describeRunError(error)).toMatch(words);
});
