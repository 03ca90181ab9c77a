/**
 * Who has how many: members by whose they are, of each the one first that was
 * entered or refreshed the longest ago, and whose the most are.
 *
 *     size ─▶ groups of that size        a group's size changes by one: so does the largest
 *
 * Everything is done in constant time, however many there are. Mutable: it
 * counts what is there at the moment.
 *
 * @module
 */

export class Crowd<T> {
  readonly #groups: Map<string, Set<T>> = new Map();
  readonly #ofSize: Map<number, Set<string>> = new Map();
  #most = 0;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(group: string): number {
    return this.#groups.get(group)?.size ?? 0;
  }

  /** Counts one in. @returns counts it out; a second call does nothing */
  enter(group: string, member: T): () => void {
    const members = this.#groups.get(group) ?? new Set();
    if (!members.has(member)) this.#resize(group, members.size, members.size + 1);
    this.#groups.set(group, members.add(member));
    return () => {
      if (!members.delete(member)) return;
      this.#resize(group, members.size + 1, members.size);
      if (members.size === 0) this.#groups.delete(group);
    };
  }

  /** From now on it is the last one of its group. */
  refresh(group: string, member: T): void {
    const members = this.#groups.get(group);
    if (members?.delete(member) === true) members.add(member);
  }

  first(group: string | undefined): T | undefined {
    const [member] = group === undefined ? [] : (this.#groups.get(group) ?? []);
    return member;
  }

  /** Whose the most are. */
  largest(): string | undefined {
    const [group] = this.#ofSize.get(this.#most) ?? [];
    return group;
  }

  #resize(group: string, from: number, to: number): void {
    this.#total += to - from;
    const before = this.#ofSize.get(from);
    before?.delete(group);
    if (before?.size === 0) this.#ofSize.delete(from);
    if (to > 0) this.#ofSize.set(to, (this.#ofSize.get(to) ?? new Set()).add(group));
    if (to > this.#most || (from === this.#most && before?.size === 0)) this.#most = to;
  }
}
