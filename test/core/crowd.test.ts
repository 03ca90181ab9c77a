import fc from "fast-check";
import { expect, test } from "vitest";
import { Crowd } from "../../src/core/crowd.ts";
import { property } from "./property.ts";

/** The same, kept simply: of each group its members, the longest waiting first. */
class Model {
  readonly #groups: Map<string, readonly number[]> = new Map();

  without(group: string, member: number): readonly number[] {
    return (this.#groups.get(group) ?? []).filter((other) => other !== member);
  }

  has(group: string, member: number): boolean {
    return this.#groups.get(group)?.includes(member) === true;
  }

  leave(group: string, member: number): void {
    this.#groups.set(group, this.without(group, member));
  }

  append(group: string, member: number): void {
    this.#groups.set(group, [...this.without(group, member), member]);
  }

  check(crowd: Crowd<number>): void {
    const sizes = [...this.#groups.values()].map(({ length }) => length);
    expect(crowd.total).toBe(sizes.reduce((sum, size) => sum + size, 0));
    expect(this.#groups.get(crowd.largest() ?? "")?.length ?? 0).toBe(Math.max(0, ...sizes));
    for (const [group, members] of this.#groups) {
      expect([crowd.of(group), crowd.first(group)]).toEqual([members.length, members[0]]);
    }
  }
}

const move = fc.tuple(
  fc.constantFrom("enter" as const, "leave" as const, "refresh" as const),
  fc.constantFrom("a", "b", "c", "d"),
  fc.nat(6),
);

property("Crowd knows how many there are, whose the most are, and who waits longest", fc.array(move), (moves) => {
  const crowd = new Crowd<number>();
  const leave = new Map<string, () => void>();
  const model = new Model();
  for (const [kind, group, member] of moves) {
    const there = model.has(group, member);
    if (kind === "enter" && !there) {
      leave.set(`${group}${member}`, crowd.enter(group, member));
      model.append(group, member);
    } else if (kind === "leave") {
      leave.get(`${group}${member}`)?.();
      model.leave(group, member);
    } else if (kind === "refresh") {
      crowd.refresh(group, member);
      if (there) model.append(group, member);
    }
    model.check(crowd);
  }
});

test("whoever was counted out once is not counted out again", () => {
  const crowd = new Crowd<string>();
  const leave = crowd.enter("a", "x");
  leave();
  crowd.enter("a", "y");
  leave();
  expect([crowd.total, crowd.first("a")]).toEqual([1, "y"]);
});
