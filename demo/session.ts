/**
 * The README's session: commands with what they print, as a list that can be
 * carried out.
 *
 * @module
 */

export interface Step {
  /** As it stands behind the `$`. */
  readonly words: readonly string[];
  /** Whether it goes on running while the next ones are carried out. */
  readonly background: boolean;
  /** The lines that it prints; `…` stands for anything in a line, a line `…` for any lines. */
  readonly prints: readonly string[];
}

/** The steps of the first block of a Markdown text that is marked as `console`. */
export function readSession(markdown: string): readonly Step[] {
  const block = /^```console\n(.*?)^```$/ms.exec(markdown)?.[1] ?? "";
  const steps: Step[] = [];
  for (const line of block.split("\n").slice(0, -1)) {
    const last = steps.at(-1);
    if (line.startsWith("$ ")) {
      const words = line.slice(2).split(" ");
      const background = words.at(-1) === "&";
      steps.push({ words: background ? words.slice(0, -1) : words, background, prints: [] });
    } else if (last !== undefined) {
      steps[steps.length - 1] = { ...last, prints: [...last.prints, line] };
    }
  }
  return steps;
}

/** Whether what was printed is what the step says. */
export function matches(step: Step, printed: string): boolean {
  const pattern = step.prints.map((line) =>
    line === "…" ? "(?:.*\n)*?" : `${line.split("…").map(quote).join(".*")}\n`,
  );
  return new RegExp(`^${pattern.join("")}$`, "u").test(printed);
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
