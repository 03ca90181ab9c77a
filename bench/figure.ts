/**
 * What a measurement comes to: a line of JSON for machines, a row for people.
 *
 * @module
 */

export interface Figure {
  readonly part: string;
  /** What was done. */
  readonly what: string;
  /** What of another's it is compared with, if not the same. */
  readonly against?: string;
  /** By whom. */
  readonly who: "fulmar" | "albatross" | "node";
  readonly perSecond?: number;
  /** Milliseconds of one, the median. */
  readonly milliseconds?: number;
  /** Microseconds of the servers' processor time for one. */
  readonly cpuMicros?: number;
  /** Resident, all processes together. */
  readonly megabytes?: number;
}

/** What figures are compared by, and whether more of it is better. */
const measures = [
  { key: "perSecond", better: "more" },
  { key: "milliseconds", better: "less" },
  { key: "megabytes", better: "less" },
  { key: "cpuMicros", better: "less" },
] as const;

export interface Compared extends Figure {
  /** How many times as good as another one did the same in the same run: as many a second, or in so much less time. */
  readonly times?: number;
  readonly than?: Figure["who"];
  readonly timesByCpu?: number;
}

/** Each of ours next to the other's of the same name, albatross's before Node's. */
export function compare(figures: readonly Figure[]): readonly Compared[] {
  return figures.map((figure) => {
    if (figure.who !== "fulmar") return figure;
    const others = figures.filter(
      ({ who, part, what }) => who !== "fulmar" && part === figure.part && what === (figure.against ?? figure.what),
    );
    const other = others.find(({ who }) => who === "albatross") ?? others[0];
    if (other === undefined) return figure;
    const [times] = measures.flatMap((measure) => ratio(figure, other, measure) ?? []);
    const timesByCpu = ratio(figure, other, { key: "cpuMicros", better: "less" });
    return {
      ...figure,
      than: other.who,
      ...(times === undefined ? {} : { times }),
      ...(timesByCpu === undefined ? {} : { timesByCpu }),
    };
  });
}

export function printTable(figures: readonly Compared[]): string {
  return figures
    .map((figure, at) => `${at === 0 || figure.part !== figures[at - 1]?.part ? head(figure.part) : ""}${row(figure)}`)
    .join("");
}

function ratio(one: Figure, other: Figure, { key, better }: (typeof measures)[number]): number | undefined {
  const [own, others] = [one[key], other[key]];
  if (own === undefined || others === undefined || own === 0 || others === 0) return undefined;
  return better === "more" ? own / others : others / own;
}

function head(part: string): string {
  const columns = ["a second", "ms", "CPU µs", "MB", "×", "× by CPU"].map((title) => title.padStart(width));
  return `\n${part.padEnd(nameWidth)}${"".padEnd(width)}${columns.join("")}\n`;
}

function row({ what, who, perSecond, milliseconds, cpuMicros, megabytes, times, timesByCpu, than }: Compared): string {
  const cells = [
    perSecond?.toFixed(perSecond < 10 ? 2 : 0),
    milliseconds?.toFixed(milliseconds < 10 ? 3 : 0),
    cpuMicros?.toFixed(cpuMicros < 10 ? 2 : 0),
    megabytes?.toFixed(0),
    times?.toFixed(2),
    timesByCpu?.toFixed(2),
  ];
  const columns = cells.map((cell = "") => cell.padStart(width)).join("");
  return `  ${what.padEnd(nameWidth - 2)}${who.padEnd(width)}${columns}${than === undefined ? "" : ` than ${than}`}\n`;
}

const nameWidth = 38;
const width = 11;
