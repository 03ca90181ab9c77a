/**
 * How much of the audit log each first-level delegate gets. Of what changes
 * nothing, whoever asks without end fills the log with numbers, not with entries;
 * what changes something is always written, and paid for in time.
 *
 * @module
 */

/** Of one delegate: what was written lately, and how much was not. */
interface Spent {
  second: number;
  inSecond: number;
  inHour: number;
  left: number;
}

/** Changes of one delegate that may still be written, below nothing where he owes some, and when that was so: ms. */
interface Account {
  changes: number;
  since: number;
}

export class AuditAllowance {
  /** By first-level delegate; local clients share the empty one, as do those beyond the most. */
  readonly #spent: Map<string, Spent> = new Map();
  /** By first-level delegate; whoever has his whole allowance has none. */
  readonly #accounts: Map<string, Account> = new Map();
  #hour = 0;

  /**
   * Whether an entry more may be written; if not, it is counted.
   *
   * @param now - milliseconds since the Unix epoch
   */
  take(delegate: string, now: number): boolean {
    const hour = Math.floor(now / 3_600_000);
    if (hour !== this.#hour) this.#begin(hour);
    const spent = this.#of(delegate);
    const second = Math.floor(now / 1000);
    if (spent.second !== second) {
      spent.second = second;
      spent.inSecond = 0;
    }
    const allowed = spent.inSecond < perSecond && spent.inHour < perHour;
    if (allowed) {
      spent.inSecond += 1;
      spent.inHour += 1;
    } else spent.left += 1;
    return allowed;
  }

  /** So many more that are not written. */
  count(delegate: string, more = 1): void {
    this.#of(delegate).left += more;
  }

  /** How many were not written since this was asked last. */
  counted(): readonly (readonly [delegate: string, count: number])[] {
    const counts = [...this.#spent].flatMap(([delegate, { left }]) => (left > 0 ? [[delegate, left] as const] : []));
    for (const spent of this.#spent.values()) spent.left = 0;
    return counts;
  }

  /** A change of the delegate's is written. */
  charge(delegate: string, now: number): void {
    const known = this.#accounts.get(delegate);
    if (known === undefined && this.#accounts.size >= maxDelegates) return;
    const account = known ?? { changes: changesAtOnce, since: now };
    account.changes = changesOf(account, now) - 1;
    account.since = now;
    this.#accounts.set(delegate, account);
  }

  /** Milliseconds that the delegate waits before he asks for anything more. */
  pause(delegate: string, now: number): number {
    const account = this.#accounts.get(delegate);
    return account === undefined ? 0 : Math.max(0, Math.ceil((-changesOf(account, now) * 1000) / changesPerSecond));
  }

  #of(delegate: string): Spent {
    const key = this.#spent.has(delegate) || this.#spent.size < maxDelegates ? delegate : "";
    const known = this.#spent.get(key);
    if (known !== undefined) return known;
    const fresh: Spent = { second: 0, inSecond: 0, inHour: 0, left: 0 };
    this.#spent.set(key, fresh);
    return fresh;
  }

  #begin(hour: number): void {
    this.#hour = hour;
    for (const [delegate, account] of this.#accounts) {
      if (changesOf(account, hour * 3_600_000) >= changesAtOnce) this.#accounts.delete(delegate);
    }
    for (const [delegate, spent] of this.#spent) {
      if (spent.left === 0) this.#spent.delete(delegate);
      else spent.inHour = 0;
    }
  }
}

function changesOf({ changes, since }: Account, now: number): number {
  return Math.min(changesAtOnce, changes + (Math.max(0, now - since) * changesPerSecond) / 1000);
}

/** A hundredth of the log's usual size; a whole host is set up with less. */
const changesAtOnce = 10_000;

/** Five kB, at which the log's usual size takes half a day, in place of ten minutes at the pace of one processor. */
const changesPerSecond = 20;

/** A tool that polls is seen whole; one that floods is not (100 entries are some 25 kB). */
const perSecond = 100;

/** Some 2.5 MB: a hundredth of the log's usual size, so that it takes days of flooding to push others' entries out. */
const perHour = 10_000;

/** Delegates that are counted apart, 100 bytes each: each has a certificate of the trust anchor's own. */
const maxDelegates = 10_000;
