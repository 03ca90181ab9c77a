/**
 * What must be, as far as the answers so far tell: for everything that has a
 * name, the states that it may be in.
 *
 * An answer leaves one state. A request that is under way, or whose answer was
 * lost, leaves two: before and after. A quiet point shows which it is.
 *
 * @module
 */

/** A unikernel as it was asked for. */
export interface Guest {
  readonly memory: number;
  /** A word among its arguments that no other one has. */
  readonly mark: string;
  readonly block?: string;
  readonly net: boolean;
  /** Ends by itself, at a time that only it knows. */
  readonly ends: boolean;
  /** Starts again when it has ended by itself. */
  readonly restarts: boolean;
}

export interface Device {
  readonly size: number;
  /** SHA-256 of all that is on it, hex. */
  readonly digest: string;
}

/** What one path may have, it and those below it together. */
export interface Limit {
  readonly unikernels: number;
  readonly memory: number;
  readonly block: number;
}

/** States that something may be in; undefined: it is not there. */
export type Possible<T> = readonly (T | undefined)[];

/** What may become of a unikernel without anybody's doing. */
export function withEnd(guest: Guest): Possible<Guest> {
  return guest.ends && !guest.restarts ? [guest, undefined] : [guest];
}

/** What a request takes for itself, in place of what its name has at most. */
export interface Demand {
  readonly name: string;
  readonly takes: Limit;
  readonly has: Limit;
}

/** A request under way, and whether there was room for it as long as it was. */
export interface Flight {
  readonly demand: Demand | undefined;
  /** There was, whatever else happened. */
  fits: boolean;
  /** There was not, whatever else happened. */
  exceeds: boolean;
}

export class Model {
  readonly guests: Map<string, Possible<Guest>> = new Map();
  readonly devices: Map<string, Possible<Device>> = new Map();
  readonly limits: Map<string, Possible<Limit>> = new Map();
  readonly #flights: Set<Flight> = new Set();

  begin(demand?: Demand): Flight {
    const flight = { demand, fits: true, exceeds: demand !== undefined };
    this.#flights.add(flight);
    this.#look(flight);
    return flight;
  }

  end(flight: Flight): void {
    this.#flights.delete(flight);
  }

  put<T>(map: Map<string, Possible<T>>, name: string, possible: Possible<T>): void {
    map.set(
      name,
      possible.filter((state, index) => possible.indexOf(state) === index),
    );
    for (const flight of this.#flights) this.#look(flight);
  }

  /** Whether some state of some unikernel has the block device, and whether one has it for sure. */
  users(device: string): { readonly maybe: boolean; readonly surely: boolean } {
    const all = [...this.guests.values()].map((possible) => possible.map((guest) => guest?.block === device));
    return { maybe: all.some((uses) => uses.includes(true)), surely: all.some((uses) => !uses.includes(false)) };
  }

  #look(flight: Flight): void {
    if (flight.demand === undefined) return;
    const { name, takes, has } = flight.demand;
    const room = [...this.limits].filter(([path]) => isAt(name, path)).map(([path, limits]) => ({ path, limits }));
    // Whoever is over takes no more, and may keep what is there.
    const over = (which: "most" | "least", limit: Limit, path: string): boolean => {
      const used = this.#used(path, name, which);
      return kinds.some((kind) => used[kind] + takes[kind] > limit[kind] && takes[kind] > has[kind]);
    };
    const some = (which: "most" | "least", every: boolean): boolean =>
      room.some(({ path, limits }) => {
        const known = limits.filter((limit) => limit !== undefined);
        return every
          ? known.every((limit) => over(which, limit, path))
          : known.some((limit) => over(which, limit, path));
      });
    flight.fits &&= !some("most", false);
    flight.exceeds &&= some("least", true);
  }

  /** @param without - what is to be replaced */
  #used(path: string, without: string, which: "most" | "least"): Limit {
    const pick = which === "most" ? Math.max : Math.min;
    const sum = { unikernels: 0, memory: 0, block: 0 };
    for (const [name, possible] of this.guests) {
      if (name === without || !isAt(name, path)) continue;
      sum.unikernels += pick(...possible.map((guest) => (guest === undefined ? 0 : 1)));
      sum.memory += pick(...possible.map((guest) => guest?.memory ?? 0));
    }
    for (const [name, possible] of this.devices) {
      if (isAt(name, path)) sum.block += pick(...possible.map((device) => device?.size ?? 0));
    }
    return sum;
  }
}

/** Whether something of this name counts for a path. */
function isAt(name: string, path: string): boolean {
  return name.startsWith(`${path}:`);
}

const kinds = ["unikernels", "memory", "block"] as const;
