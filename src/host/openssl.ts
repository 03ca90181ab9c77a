/**
 * What OpenSSL offers and Node does not: a larger limit for clients' certificates,
 * contexts that neither verify chains nor send tickets, and certificates as they
 * were sent without a second reading of each.
 *
 * These are public functions of OpenSSL, which the node program itself exports;
 * koffi calls them. OpenSSL tells of each new context and connection through
 * callbacks, while the call that makes it is still under way.
 *
 *     get_ex_new_index(SSL_CTX, …, callback) ─▶ make() ─▶ SSL_CTX_new ─▶ callback(context) ─▶ free_ex_index
 *
 * @module
 */
import { createRequire } from "node:module";
import { err, ok, type Result } from "../core/result.ts";

export interface Openssl {
  /**
   * Runs `make`, and sets up the contexts that are made in it: they take certificate messages of up to `limit`
   * bytes, verify no chains (ours are verified by x509/path), and send no tickets.
   */
  tune<T>(limit: number, make: () => T): T;
  /** Runs `make`, and learns where OpenSSL has the connection that is made in it. Absent: none was made. */
  watch<T>(make: () => T): readonly [T, SslPointer | undefined];
  /**
   * The certificates that the client of a connection sent, leaf first; absent: more than `most`. Only while the
   * connection is there: as long as its socket has not been destroyed.
   */
  presented(connection: SslPointer, most: number): readonly Uint8Array[] | undefined;
}

declare const brand: unique symbol;

/** Where OpenSSL has a connection. */
type SslPointer = Pointer & { readonly [brand]: "SslPointer" };

/** As koffi gives addresses: a bigint beyond 2^53. */
type Pointer = number | bigint;

/** koffi is not installed, or does not work here. */
export interface OpensslError {
  readonly kind: "openssl-out-of-reach";
  readonly problem: string;
}

export function loadOpenssl(): Result<Openssl, OpensslError> {
  try {
    return ok(bind(createRequire(import.meta.url)("koffi")));
  } catch (error) {
    return err({ kind: "openssl-out-of-reach", problem: problemOf(error) });
  }
}

function problemOf(error: unknown): string {
  if (error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND") return "koffi is not installed";
  return error instanceof Error ? error.message : String(error);
}

type Koffi = typeof import("koffi");
type Program = ReturnType<Koffi["load"]>;

function bind(koffi: Koffi): Openssl {
  const program = koffi.load(null);
  return { tune: bindTune(koffi, program), watch: bindWatch(koffi, program), presented: bindPresented(koffi, program) };
}

function bindTune(koffi: Koffi, program: Program): Openssl["tune"] {
  const { onNew, takeIndex } = bindIndex(koffi, program);
  const freeIndex = program.func("CRYPTO_free_ex_index", "int", ["int", "int"]);
  const control = program.func("SSL_CTX_ctrl", "long", [pointer, "int", "long", pointer]);
  const setTickets = program.func("SSL_CTX_set_num_tickets", "int", [pointer, "size_t"]);
  const setVerify = program.func("SSL_CTX_set_cert_verify_callback", "void", [pointer, pointer, pointer]);
  const verified = koffi.address(program.symbol("X509_STORE_CTX_set_default"));
  const argument = koffi.address(verifyArgument);
  return (limit, make) => {
    const callback = koffi.register((context: Pointer) => {
      control(context, setMaxCertificateList, limit, 0);
      setTickets(context, 0);
      setVerify(context, verified, argument);
    }, onNew);
    const index = takeIndex(contextClass, callback);
    try {
      return make();
    } finally {
      freeIndex(contextClass, index);
      koffi.unregister(callback);
    }
  };
}

/** The callback stays: an index for each connection would cost more than it. */
function bindWatch(koffi: Koffi, program: Program): Openssl["watch"] {
  const { onNew, takeIndex } = bindIndex(koffi, program);
  let last: SslPointer | undefined;
  const callback = koffi.register((connection: SslPointer) => {
    last = connection;
  }, onNew);
  takeIndex(connectionClass, callback);
  return (make) => {
    last = undefined;
    return [make(), last];
  };
}

function bindIndex(koffi: Koffi, program: Program) {
  const onNew = koffi.pointer(koffi.proto("void", [pointer, pointer, pointer, "int", "long", pointer]));
  const take = program.func("CRYPTO_get_ex_new_index", "int", ["int", "long", pointer, onNew, pointer, pointer]);
  const takeIndex = (of: number, callback: bigint): number => take(of, 0, 0, callback, 0, 0);
  return { onNew, takeIndex };
}

function bindPresented(koffi: Koffi, program: Program): Openssl["presented"] {
  const leafOf = program.func("SSL_get1_peer_certificate", pointer, [pointer]);
  const free = program.func("X509_free", "void", [pointer]);
  // Of a server's client: without the leaf.
  const othersOf = program.func("SSL_get_peer_cert_chain", pointer, [pointer]);
  const count = program.func("OPENSSL_sk_num", "int", [pointer]);
  const item = program.func("OPENSSL_sk_value", pointer, [pointer, "int"]);
  const write = program.func("i2d_X509", "int", [pointer, "void *"]);
  const place = Buffer.alloc(8);
  const encode = (certificate: Pointer): Uint8Array => {
    const der = Buffer.allocUnsafeSlow(Math.max(0, write(certificate, null)));
    place.writeBigUInt64LE(koffi.address(der));
    write(certificate, place);
    return der;
  };
  return (connection, most) => {
    const leaf: Pointer = leafOf(connection);
    if (leaf === 0) return [];
    try {
      const others: Pointer = othersOf(connection);
      const length: number = Math.max(0, count(others));
      if (length >= most) return undefined;
      return [encode(leaf), ...Array.from({ length }, (_, at) => encode(item(others, at)))];
    } finally {
      free(leaf);
    }
  };
}

/**
 * In place of a verification: `X509_STORE_CTX_set_default(context, "ssl_client")` is called as one, has its arguments, and
 * returns 1. OpenSSL's own would check every signature of a stranger's chain, whose outcome nobody asks for. The text
 * must outlive every context.
 */
const verifyArgument = Buffer.from("ssl_client\0");

/** For koffi, a number: nothing of what it points to is koffi's to know. */
const pointer = "uintptr_t";

/** CRYPTO_EX_INDEX_SSL and CRYPTO_EX_INDEX_SSL_CTX of openssl/crypto.h. */
const connectionClass = 0;
const contextClass = 1;

/** SSL_CTRL_SET_MAX_CERT_LIST of openssl/ssl.h. */
const setMaxCertificateList = 51;
