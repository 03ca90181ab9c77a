/**
 * General names (RFC 5280 section 4.2.1.6), in a form in which "is it in that
 * subtree" is one question for all of them: does its key start with the
 * subtree's.
 *
 *     example.com            .com.example.            and all below
 *     www.example.com        .com.example.www.
 *     carol@example.com      .com.example@carol⏎
 *     https://example.com/x  .com.example/
 *     192.0.2.0/24           4:110000000000000000000010
 *     CN=alice,O=Example     550403=alice⏎55040a=example⏎
 *
 * What is malformed is refused when the certificate is read; what is well-formed
 * and cannot be compared has no key.
 *
 * @module
 */
import { contextTag, type Reader } from "../codec/der.ts";
import { foldName } from "./distinguished_name.ts";

/** A name, or a subtree of names. */
export interface GeneralName {
  /** The tag: which of the nine alternatives it is. */
  readonly form: number;
  /** Absent: it cannot be compared with others of its form. */
  readonly key?: string;
  /** Of a host name with a wildcard: it stands for names whose keys start with this. */
  readonly reach?: string;
}

/** Tags of the alternatives that can be compared; all IMPLICIT but the directory's. */
const forms = { email: 0x81, dns: 0x82, directory: contextTag(4), uri: 0x86, ip: 0x87 } as const;

/** Of those that cannot: otherName, x400Address, ediPartyName, registeredID. */
const otherForms: ReadonlySet<number> = new Set([contextTag(0), contextTag(3), contextTag(5), 0x88]);

/** GeneralNames: one or more. */
export function readNames(reader: Reader): readonly GeneralName[] {
  const names = reader.sequenceOf((name) => readGeneral(name, asName));
  return names.length > 0 && names.length <= maxNames ? names : reader.fail("value-refused");
}

/** The base of a GeneralSubtree (RFC 5280 section 4.2.1.10). */
export function readSubtree(reader: Reader): GeneralName {
  return readGeneral(reader, asSubtree);
}

/** A subject, as its issuer's constraints see it. */
export function directoryName(bytes: Uint8Array): GeneralName {
  return named(forms.directory, short(foldName(bytes)));
}

/** An electronic mail address in a subject. */
export function emailName(address: string): GeneralName {
  return named(forms.email, mailbox(address));
}

/** How each form is turned into a key; undefined where it is malformed. */
interface Forms {
  readonly email: (text: string) => GeneralName | undefined;
  readonly dns: (text: string) => GeneralName | undefined;
  readonly uri: (text: string) => GeneralName | undefined;
  readonly ip: (bytes: Uint8Array) => GeneralName | undefined;
}

const asName: Forms = {
  email: (text) => keyed(forms.email, mailbox(text)),
  dns: hostOrWildcard,
  // Of an URI without an authority, or with an address as its host, nothing can be said (section 4.2.1.10).
  uri: (text) => named(forms.uri, uriHost(text)),
  ip: (bytes) => keyed(forms.ip, addressBits(bytes)),
};

const asSubtree: Forms = {
  email: (text) => keyed(forms.email, text.includes("@") ? mailbox(text) : hostOrDomain(text, "@")),
  dns: (text) => keyed(forms.dns, text === "" ? "" : host(text, ".")),
  uri: (text) => keyed(forms.uri, hostOrDomain(text, "/")),
  ip: (bytes) => keyed(forms.ip, networkBits(bytes)),
};

function readGeneral(reader: Reader, read: Forms): GeneralName {
  const tag = reader.peek() ?? reader.fail("truncated");
  return readForm(tag, reader, read) ?? reader.fail("value-refused");
}

function readForm(tag: number, reader: Reader, read: Forms): GeneralName | undefined {
  switch (tag) {
    case forms.email:
      return read.email(readAscii(tag, reader));
    case forms.dns:
      return read.dns(readAscii(tag, reader));
    case forms.uri:
      return read.uri(readAscii(tag, reader));
    case forms.ip:
      return read.ip(reader.content(tag));
    case forms.directory:
      return reader.constructed(tag, (inside) => directoryName(inside.raw()));
    default:
      if (!otherForms.has(tag)) reader.fail("tag-unexpected");
      reader.raw();
      return { form: tag };
  }
}

/** An IA5String, of which names have no spaces and no control characters. */
function readAscii(tag: number, reader: Reader): string {
  const bytes = reader.content(tag);
  if (bytes.length > maxKey || bytes.some((byte) => byte <= 0x20 || byte >= 0x7f)) reader.fail("value-refused");
  return Buffer.from(bytes).toString("latin1");
}

function named(form: number, key: string | undefined): GeneralName {
  return key === undefined ? { form } : { form, key };
}

/** Malformed where there is no key. */
function keyed(form: number, key: string | undefined): GeneralName | undefined {
  return key === undefined ? undefined : { form, key };
}

function short(key: string | undefined): string | undefined {
  return key !== undefined && key.length <= maxKey ? key : undefined;
}

/** A wildcard stands for one label, the first; `*` alone is none. */
function hostOrWildcard(text: string): GeneralName | undefined {
  if (!text.startsWith("*.")) return keyed(forms.dns, host(text, "."));
  const reach = host(text.slice(2), ".");
  return reach === undefined ? undefined : { form: forms.dns, key: `${reach}*.`, reach };
}

/** The local part as it is written (RFC 5321 section 2.4), unquoted; the host's case does not matter. */
function mailbox(text: string): string | undefined {
  const [local = "", domain = "", ...more] = text.split("@");
  const key = host(domain, "@");
  return key === undefined || more.length > 0 || !localPart.test(local) ? undefined : `${key}${local}\n`;
}

/** `example.com` is that host alone, `.example.com` the hosts below it. */
function hostOrDomain(text: string, end: string): string | undefined {
  return text.startsWith(".") ? host(text.slice(1), ".") : host(text, end);
}

function uriHost(text: string): string | undefined {
  const found = authority.exec(text)?.[1];
  return found === undefined ? undefined : host(found, "/");
}

/** Labels from the root on (RFC 1034 section 3.5). One that ends in a number is an address. */
function host(text: string, end: string): string | undefined {
  if (text.length > maxHost) return undefined;
  const labels = text.toLowerCase().split(".").reverse();
  const good = labels.every((it) => label.test(it)) && !number.test(labels[0] ?? "");
  return good ? `.${labels.join(".")}${end}` : undefined;
}

/** An address and its mask, which must be ones and then zeros. */
function networkBits(bytes: Uint8Array): string | undefined {
  const half = bytes.length / 2;
  const [address, mask] = [addressBits(bytes.subarray(0, half)), addressBits(bytes.subarray(half))];
  const ones = mask === undefined ? undefined : /^.:1*(?=0*$)/.exec(mask)?.[0].length;
  return ones === undefined ? undefined : address?.slice(0, ones);
}

/** The version and the bits, first to last. */
function addressBits(bytes: Uint8Array): string | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0"));
  return `${bytes.length === 4 ? 4 : 6}:${bits.join("")}`;
}

const label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
const number = /^[0-9]*$/;
const localPart = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}$/;
/** No user, no address in brackets: only a host and perhaps a port. */
const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([A-Za-z0-9.-]+)(?::[0-9]*)?(?:[/?#]|$)/;

/** Of one certificate. People's servers have up to a hundred; whoever has more has something in mind. */
export const maxNames = 128;

/** Characters of a host name (RFC 1035 section 2.3.4, without the root's). */
const maxHost = 253;

/** Characters, also of a name that is read: some twenty attributes of RFC 5280's greatest lengths. With `maxComparisons` it bounds the work. */
const maxKey = 2048;
